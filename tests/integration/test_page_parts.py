"""Parts of the page alone, in Chromium."""

from __future__ import annotations


def test_text_that_is_not_taken(page, tabs):
    """A line that cannot be sent now stays in the field, and in the draft."""
    tab = tabs[0]
    tab.open()
    found = tab.run_module(
        """
        const { Composer } = await import("/app/composer.js");
        const { Conversation } = await import("/app/conversation.js");
        const room = new Conversation("room", "lobby");
        const answers = [false, true];
        const composer = new Composer(() => answers.shift());
        composer.show(room, "");
        const field = document.getElementById("message");
        field.value = "not lost";
        field.dispatchEvent(new Event("input"));
        const found = [];
        while (answers.length > 0) {
          document.getElementById("composer").requestSubmit();
          found.push([field.value, room.draft]);
        }
        return found;
        """
    )
    assert found == [["not lost", "not lost"], ["", ""]]


def test_dialog_after_dialog(page, tabs):
    """A dialog takes one answer at a time, also when the answer of an earlier dialog ends."""
    tab = tabs[0]
    tab.open()
    found = tab.run_module(
        """
        const { Dialogs } = await import("/app/dialogs.js");
        const dialogs = new Dialogs(() => {});
        const ends = [];
        const counts = [0, 0];
        const ask = (index) => {
          const act = () => {
            counts[index] += 1;
            return new Promise((resolve, reject) => ends.push({ resolve, reject }));
          };
          dialogs.ask(`dialog ${index}`, [], [{ text: "Yes", act }]);
        };
        const answer = () => document.querySelector("#dialog-buttons button").click();
        const turn = () => new Promise((next) => setTimeout(next));
        ask(0); answer(); answer();
        ask(1); answer(); answer();
        ends[0].resolve(); await turn();
        answer();
        const before = [...counts];
        ends[1].reject(new Error("refused")); await turn();
        answer();
        return [before, counts, document.getElementById("dialog").open];
        """
    )
    assert found == [[1, 1], [1, 2], True]
