import { suggest } from './suggest.js';

/** What a call to an edge may say of the session that is to be cut. */
export const PLACEHOLDERS = ['session', 'channel', 'user', 'ip'] as const;
export type Placeholder = (typeof PLACEHOLDERS)[number];

/** A piece of a template: text that stands as it is, or what is put in. */
export type TemplatePart = string | { readonly placeholder: Placeholder };

const WORD_IN_BRACES = /\{([A-Za-z][A-Za-z0-9_-]*)\}/g;

/**
 * The pieces of a text with placeholders: `{session}`. Braces around anything but one word are text, as JSON has them.
 * Throws a RangeError that names the word that is no placeholder, and what is allowed.
 */
export function parseTemplate(text: string): TemplatePart[] {
  const parts: TemplatePart[] = [];
  let from = 0;
  for (const match of text.matchAll(WORD_IN_BRACES)) {
    if (match.index > from) parts.push(text.slice(from, match.index));
    parts.push({ placeholder: placeholderOf(match[1]!) });
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}

/** Whether anything is put in. Throws as `parseTemplate`. */
export function hasPlaceholder(text: string): boolean {
  return parseTemplate(text).some((part) => typeof part !== 'string');
}

/** `Name: value` as its two parts. */
export function readHeaderLine(line: string): readonly [name: string, value: string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon), line.slice(colon + 1).trim()];
}

/** How a body is written, by its content type: it says how values are escaped in it. */
export function bodyForm(contentType: string): 'json' | 'form' | 'other' {
  const type = contentType.split(';')[0]!.trim().toLowerCase();
  if (/^[a-z]+\/(?:json|[a-z0-9.-]+\+json)$/.test(type)) return 'json';
  return type === 'application/x-www-form-urlencoded' ? 'form' : 'other';
}

function placeholderOf(word: string): Placeholder {
  const found = PLACEHOLDERS.find((placeholder) => placeholder === word);
  if (found !== undefined) return found;
  const meant = suggest(word, PLACEHOLDERS);
  const hint = meant === undefined ? '' : `; did you mean {${meant}}?`;
  throw new RangeError(
    `placeholders among ${PLACEHOLDERS.map((one) => `{${one}}`).join(', ')}; {${word}} is none${hint}`,
  );
}
