import { LIKE_LOGIN_PATH, LOGIN_PATHS, withoutQuery } from './panel-login.js';

const MASK = '***';

/** An Xtream panel's encrypted token, the first group: a channel's name in its place is shorter. */
const TOKEN_PATH = /(?:^|\/)(?:play|hls)\/+([^/]{32,})\/+[^/]/d;

/**
 * A path as it may be kept, told and logged: without a query, and without what the players of an Xtream panel write into
 * it, a password or a token. It is masked wherever it may be one: rather too much than too little.
 */
export function maskedPath(path: string): string {
  const bare = withoutQuery(path);
  for (const form of LOGIN_PATHS) {
    const found = form.exec(bare);
    if (found !== null) return cutOut(bare, found.indices!.slice(2));
  }
  const like = LIKE_LOGIN_PATH.exec(bare);
  if (like !== null) return cutOut(bare, like.indices!.slice(2));
  const token = TOKEN_PATH.exec(bare);
  return token === null ? bare : cutOut(bare, token.indices!.slice(1));
}

/** From the last to the first: the places of the others stay. */
function cutOut(path: string, places: readonly ([number, number] | undefined)[]): string {
  return places.reduceRight(
    (text, place) => (place === undefined ? text : text.slice(0, place[0]) + MASK + text.slice(place[1])),
    path,
  );
}
