import ipaddr from 'ipaddr.js';

/**
 * One form for one address, by which sessions, holds and answers are kept and found: an IPv4-mapped one is the IPv4
 * address, an IPv6 one is written short. What is none stays as it is written.
 */
export function plainAddress(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  return ipaddr.process(address).toString();
}
