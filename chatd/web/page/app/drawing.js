/** Drawing: once per frame, however much has changed. */

/**
 * Return a function that has the page drawn with the next frame.
 *
 * @param {() => void} draw
 * @param {(call: () => void) => void} [nextFrame]
 * @returns {() => void}
 */
export function oncePerFrame(draw, nextFrame = (call) => void requestAnimationFrame(call)) {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    nextFrame(() => {
      isAsked = false;
      draw();
    });
  };
}
