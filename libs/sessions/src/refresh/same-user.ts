import { boundUser } from '../registry/session-names.js';

/**
 * Whether a name is this user's: as a backend says it, or as a session's record knows it, where a long one is cut.
 * Cheap enough to go through everybody: only names that may be cut are looked at closer.
 */
export function userTest(namespace: string, user: string): (name: string) => boolean {
  const bound = boundUser(namespace, user);
  const isWhole = bound === user && !/@[a-z2-7]{26}$/.test(user);
  return isWhole
    ? (name) => name === user
    : (name) => name === user || (name !== '' && boundUser(namespace, name) === bound);
}
