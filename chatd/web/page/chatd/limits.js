/** The limits of the protocol, and those of this library; sizes are in bytes. */

export const MAX_HEADER = 65_536;
export const MAX_CONTENT = 10_485_760;
export const MIN_MAX_CONTENT = 4;
export const MAX_MAX_CONTENT = 4_293_918_719;
/** Longest frame before the welcome, without its length. */
export const MAX_UNESTABLISHED_FRAME = 8192;
/** Deepest nesting of the headers of COMMAND, RESULT and EVENT. */
export const MAX_DEPTH = 32;
export const MAX_ID = 64;
export const MAX_PLACE = 64;
export const MAX_CONTENT_TYPE = 255;
/** Longest name of a person after case folding, which makes a name up to three times as long. */
export const MAX_FOLDED_NAME = 96;
/** Rooms in a SESSION_ACK. */
export const MAX_FIRST_ROOMS = 20;
/** Messages in a page of history. */
export const MAX_PAGE = 500;
export const DEFAULT_PAGE = 100;
/** Items of a list that takes several commands. */
export const MAX_LISTED = 100_000;
/** Content in a page of history, after which chatd ends it. */
export const PAGE_BYTES = 1_048_576;

export const HANDSHAKE_TIMEOUT_S = 10;
/** How long a socket may take to open, in seconds. */
export const CONNECT_TIMEOUT_S = 10;
/** How long the end of a session may take, and before it the last receipts, in seconds. */
export const CLOSE_TIMEOUT_S = 5;
export const DEFAULT_HEARTBEAT_S = 5;
/** Intervals without a sign of life that end a session. */
export const SILENT_INTERVALS = 3;
/** Part of a long frame that counts as a sign of life. */
export const GATHERING_BYTES = 16_384;

/** Messages that wait for a connection or a receipt. */
export const MAX_UNCONFIRMED = 10_000;
/** Their content. */
export const MAX_UNCONFIRMED_BYTES = 67_108_864;
/** Commands that wait for their answers. */
export const MAX_COMMANDS = 1_000;
/** What has arrived and was not opened yet: a server that sends faster is asked again later. */
export const MAX_UNREAD = 67_108_864;
/** Exchanges of direct messages whose position is known. */
export const MAX_DIRECT = 10_000;
/** Gaps in direct messages that are filled at the same time. */
export const MAX_FILLING = 100;
/** Longest text taken from an ERROR or a DISCONNECT, in characters. */
export const MAX_TEXT = 1024;
