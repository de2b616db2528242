import { queryParameter, type RuleInput } from '#usher/domain';
import { unescaped } from './byte-string.js';

/** A longer one is nobody's. */
export const MAX_TOKEN = 8192;

const BEARER = /^bearer +([^\s]+)\s*$/i;
const BASIC = /^basic +([A-Za-z0-9+/_-]+={0,2})\s*$/i;

/** The tokens that a viewer shows, in the order in which they count: the dialect's, the query's, a Bearer. */
export function* shownTokens(asked: RuleInput, parameter: string): Generator<string> {
  if (asked.token !== undefined && asked.token !== '') yield asked.token;
  const inQuery = queryParameter(asked.query, parameter);
  if (inQuery !== undefined && inQuery !== '') yield unescaped(inQuery);
  const bearer = asked.authorization === undefined ? undefined : BEARER.exec(asked.authorization)?.[1];
  if (bearer !== undefined) yield bearer;
}

export interface Login {
  readonly name: string;
  readonly password: string;
}

/** `?auth=login:password` as Astra has it, else Basic. Byte strings. */
export function shownLogin(asked: RuleInput, parameter: string): Login | undefined {
  const inQuery = queryParameter(asked.query, parameter);
  if (inQuery !== undefined) {
    const login = loginOf(unescaped(inQuery));
    if (login !== undefined) return login;
  }
  const basic = asked.authorization === undefined ? undefined : BASIC.exec(asked.authorization)?.[1];
  return basic === undefined ? undefined : loginOf(Buffer.from(basic, 'base64').toString('latin1'));
}

function loginOf(text: string): Login | undefined {
  const colon = text.indexOf(':');
  return colon < 1 ? undefined : { name: text.slice(0, colon), password: text.slice(colon + 1) };
}
