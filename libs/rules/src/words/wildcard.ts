/** Whether the pattern is more than plain text. */
export function hasWildcard(pattern: string): boolean {
  return pattern.includes('*') || pattern.includes('?');
}

/**
 * Whether the whole text is of the pattern: `*` any characters, `?` one. Takes at most text times pattern steps,
 * whatever they are: what a viewer says never keeps it busy.
 */
export function matchesWildcard(pattern: string, text: string): boolean {
  let at = 0;
  let within = 0;
  let star = -1;
  let retry = 0;
  while (at < text.length) {
    if (within < pattern.length && pattern[within] === '*') {
      star = within;
      within += 1;
      retry = at;
    } else if (within < pattern.length && (pattern[within] === '?' || pattern[within] === text[at])) {
      within += 1;
      at += 1;
    } else if (star !== -1) {
      within = star + 1;
      retry += 1;
      at = retry;
    } else return false;
  }
  while (pattern[within] === '*') within += 1;
  return within === pattern.length;
}
