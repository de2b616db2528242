import { queryParameter } from '#usher/domain';

/** The parameter in which portals look for a credential (Flussonic's contract, and all that follow it). */
const TOKEN = 'token';
// oxlint-disable-next-line no-control-regex -- control characters are what must not pass
const UNSENDABLE = /[\u0000-\u0020\u007f]/g;

const escape = (byte: string): string => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;

/**
 * The viewer's query out of a field of the edge's: byte for byte, but for what cannot stand in a request line, which is
 * percent-encoded. A query as a player sends it has nothing of that.
 */
export function viewerQuery(field: string): string {
  return (field.startsWith('?') ? field.slice(1) : field).replace(UNSENDABLE, escape);
}

/**
 * A portal looks into the query alone: a credential that came by another way is added, unless the query has one. An empty
 * one is none, and goes: a portal would see it in place of the other.
 */
export function withToken(query: string, token: string): string {
  if (token === '') return query;
  const given = queryParameter(query, TOKEN);
  if (given !== undefined && given !== '') return query;
  const rest = given === undefined ? query : withoutEmptyTokens(query);
  if (queryParameter(rest, TOKEN) !== undefined) return rest;
  const parameter = `${TOKEN}=${token.replace(/[^A-Za-z0-9._~-]/g, escape)}`;
  return rest === '' ? parameter : `${rest}&${parameter}`;
}

function withoutEmptyTokens(query: string): string {
  return query
    .split('&')
    .filter((parameter) => parameter !== TOKEN && parameter !== `${TOKEN}=`)
    .join('&');
}

/** Something is asked for in it. */
export function hasParameters(query: string): boolean {
  return /[^&]/.test(query);
}
