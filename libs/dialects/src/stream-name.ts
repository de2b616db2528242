/** What a player's address has behind a stream's name: a playlist or file, or Flussonic's word for MPEG-TS. */
const TAIL = /\/+(?:[^/]*\.[^/]*|mpegts)?$/;

/** The stream that a player's path probably means, for servers that name streams by their paths. A guess for people. */
export function streamNameOf(path: string): string {
  return path.replace(/^\/+/, '').replace(TAIL, '');
}
