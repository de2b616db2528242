import ipaddr from 'ipaddr.js';

/** As nearly every address comes: nothing of it is to be changed, and nothing need be made to know that. */
const PLAIN_IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/**
 * One form for one address, by which sessions, holds and answers are kept and found: an IPv4-mapped one is the IPv4
 * address, an IPv6 one is written short. What is none stays as it is written.
 */
export function plainAddress(address: string): string {
  if (PLAIN_IPV4.test(address) || !ipaddr.isValid(address)) return address;
  return ipaddr.process(address).toString();
}
