import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Network = readonly [Address, number];

/** Tests whether an address lies in one of some networks. */
export type NetworkTest = (address: string) => boolean;

/** IPv4-mapped IPv6 addresses count as the IPv4 address that they hold; a zone is cut off. */
export function plainAddress(address: string): string {
  const end = address.indexOf('%');
  const bare = end === -1 ? address : address.slice(0, end);
  return bare.startsWith('::ffff:') && bare.includes('.') ? bare.slice(7) : bare;
}

/**
 * Compiles addresses and networks (`10.0.0.1`, `10.0.0.0/8`, `2001:db8::/32`).
 * @throws Error that names the setting and what was not understood
 */
export function networkTest(networks: readonly string[], setting: string): NetworkTest {
  const parsed = networks.map((network) => parse(network, setting));
  return (text) => {
    if (parsed.length === 0 || !ipaddr.isValid(text)) return false;
    const address = ipaddr.process(text);
    return parsed.some(([base, bits]) => address.kind() === base.kind() && address.match(base, bits));
  };
}

function parse(network: string, setting: string): Network {
  try {
    if (network.includes('/')) return ipaddr.parseCIDR(network);
    const address = ipaddr.parse(network);
    return [address, address.kind() === 'ipv4' ? 32 : 128];
  } catch {
    throw new Error(`${setting}: ${network} is neither an address nor a network such as 10.0.0.0/8`);
  }
}
