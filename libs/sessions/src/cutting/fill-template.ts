import { bodyForm, parseTemplate } from '#usher/config';
import type { Placeholder, TemplatePart } from '#usher/config';
import type { Session } from '#usher/domain';

/** The session has no value for a placeholder, or one that would mean something else where it is to stand. */
export class UnfitValueError extends Error {
  readonly code = 'UNFIT_VALUE';
  override readonly name = 'UnfitValueError';
}

/** Puts a session into a text. Throws UnfitValueError. */
export type Fill = (session: Session) => string;

/** An address: each byte of a value that is not unreserved (RFC 3986) is percent-encoded. */
export function addressTemplate(text: string): Fill {
  return fillWith(parseTemplate(text), (value, name) => {
    // As a segment of a path it would lead elsewhere, encoded or not.
    if (/^\.+$/.test(value))
      throw new UnfitValueError(`its {${name}} is "${value}", which no address can hold`);
    return percentEncoded(value, UNRESERVED);
  });
}

/** A header's value: bytes that are no visible ASCII, and what separates values, are percent-encoded. */
export function headerTemplate(text: string): Fill {
  return fillWith(parseTemplate(text), (value) => percentEncoded(value, PLAIN_IN_HEADER));
}

/** A body, escaped as its content type is written. Throws a TypeError where nothing is escaped in that. */
export function bodyTemplate(text: string, contentType: string): Fill {
  const parts = parseTemplate(text);
  if (parts.every((part) => typeof part === 'string')) return () => text;
  switch (bodyForm(contentType)) {
    case 'form':
      return fillWith(parts, (value) => percentEncoded(value, UNRESERVED));
    case 'json':
      return jsonTemplate(parts);
    case 'other':
      throw new TypeError(`placeholders cannot stand in ${contentType}`);
  }
}

/** Within quotes a value is escaped; outside it is a whole value: a number stays one, all else is a string. */
function jsonTemplate(parts: readonly TemplatePart[]): Fill {
  const quoted = insideQuotes(parts);
  const fill = fillWith(parts, (value, _, at) => {
    const string = JSON.stringify(textOf(value));
    if (quoted[at] === true) return string.slice(1, -1);
    return /^(0|[1-9]\d{0,14})$/.test(value) ? value : string;
  });
  return (session) => {
    const body = fill(session);
    try {
      JSON.parse(body);
      return body;
    } catch {
      throw new UnfitValueError('put into the body, it makes no JSON');
    }
  };
}

/** For each part, whether it begins within a JSON string. */
function insideQuotes(parts: readonly TemplatePart[]): boolean[] {
  let isInside = false;
  return parts.map((part) => {
    const before = isInside;
    if (typeof part === 'string') {
      for (const [token] of part.matchAll(/\\.|"/gs)) if (token === '"') isInside = !isInside;
    }
    return before;
  });
}

function fillWith(
  parts: readonly TemplatePart[],
  encode: (value: string, name: Placeholder, at: number) => string,
): Fill {
  return (session) =>
    parts
      .map((part, at) =>
        typeof part === 'string' ? part : encode(valueOf(session, part.placeholder), part.placeholder, at),
      )
      .join('');
}

/** Never empty: without a value a call may mean everybody. */
function valueOf(session: Session, name: Placeholder): string {
  const value = name === 'session' ? session.sessionId : session[name];
  if (value === '') throw new UnfitValueError(`it has no {${name}}`);
  return value;
}

const UNRESERVED = /[A-Za-z0-9._~-]/;
const PLAIN_IN_HEADER = /[!#-$&-+\--:<-[\]-~]/;

function percentEncoded(bytes: string, plain: RegExp): string {
  return Array.from(Buffer.from(bytes, 'latin1'), (byte) => {
    const char = String.fromCharCode(byte);
    return plain.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');
}

/** Bytes as text: UTF-8 where they are, else each a character. */
function textOf(bytes: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(bytes, 'latin1'));
  } catch {
    return bytes;
  }
}
