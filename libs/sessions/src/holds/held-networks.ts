import type { Hold } from '#usher/domain';
import ipaddr from 'ipaddr.js';

type Family = 'ipv4' | 'ipv6';

interface Length {
  readonly family: Family;
  readonly bits: number;
}

/** Holds on networks, found by an address: one look for each length of prefix that is in use, the longest first. */
export class HeldNetworks {
  #lengths: readonly Length[] | undefined;

  constructor(private readonly byNetwork: ReadonlyMap<string, Hold>) {}

  /** To be called after each change. */
  changed(): void {
    this.#lengths = undefined;
  }

  /** The hold that counts on the smallest network that the address lies in. */
  find(address: string, counts: (hold: Hold) => boolean): Hold | undefined {
    if (this.byNetwork.size === 0 || !ipaddr.isValid(address)) return undefined;
    const parsed = ipaddr.process(address);
    this.#lengths ??= this.#lengthsInUse();
    for (const { family, bits } of this.#lengths) {
      if (parsed.kind() !== family) continue;
      const hold = this.byNetwork.get(networkOf(parsed, bits));
      if (hold !== undefined && counts(hold)) return hold;
    }
    return undefined;
  }

  #lengthsInUse(): Length[] {
    const found = new Map<string, Length>();
    for (const network of this.byNetwork.keys()) {
      const bits = Number(network.slice(network.indexOf('/') + 1));
      const family = network.includes(':') ? 'ipv6' : 'ipv4';
      found.set(`${family}/${bits}`, { family, bits });
    }
    return Array.from(found.values()).sort((a, b) => b.bits - a.bits);
  }
}

/** The network of so many bits that an address lies in, as holds name it. */
function networkOf(address: ipaddr.IPv4 | ipaddr.IPv6, bits: number): string {
  const bytes = address
    .toByteArray()
    .map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, bits - 8 * i))) & 0xff);
  return `${ipaddr.fromByteArray(bytes).toString()}/${bits}`;
}
