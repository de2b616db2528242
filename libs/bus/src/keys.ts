/**
 * Names of everything that the bus keeps in Redis. What one script or one read touches shares the tag {bus}, so that it
 * lies in one slot of a Redis Cluster.
 */
export class BusKeys {
  readonly nodes: string;
  /** The stream of events, and beside it (same slot) the mark that tells a re-created one from the old. */
  readonly events: string;
  readonly epoch: string;

  constructor(private readonly prefix: string) {
    this.nodes = `${prefix}:{bus}:nodes`;
    this.events = `${prefix}:control`;
    this.epoch = `{${this.events}}:epoch`;
  }

  /** The stream of one pattern's requests in one lane. */
  requests(route: string, lane: string): string {
    const name = RESERVED.has(route)
      ? `%${route.charCodeAt(0).toString(16)}${route.slice(1)}`
      : encoded(route);
    return `${this.prefix}:{bus}:${name}:${encoded(lane)}`;
  }

  /** Beside it: what may wait. */
  low(route: string, lane: string): string {
    return `${this.requests(route, lane)}:low`;
  }

  replies(askerId: string): string {
    return `${this.prefix}:{bus}:replies:${askerId}`;
  }

  /** A server's own stream; an entry there ends its blocking read. */
  wake(serverId: string): string {
    return `${this.prefix}:{bus}:wake:${serverId}`;
  }
}

/** Patterns that would give the name of another key. */
const RESERVED: ReadonlySet<string> = new Set(['replies', 'wake']);

/** Percent-encodes all but [A-Za-z0-9._@-]: unambiguous, and legible in redis-cli. */
function encoded(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%40', '@');
}
