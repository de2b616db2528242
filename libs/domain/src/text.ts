/** A byte string (one character per byte) as text for people: UTF-8 where it is valid, control characters as \xNN. */
export function readable(bytes: string): string {
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  return stripControls(text.includes('\uFFFD') ? bytes : text);
}

// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** Control characters become visible: they never reach a log line, a terminal or a header. */
export function stripControls(text: string): string {
  return text.replace(CONTROLS, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** At most `max` characters, with an ellipsis where something was cut. */
export function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max - 1)}…`;
}
