import { networkTest, plainAddress } from './networks.js';

/** Says from which address a request comes: the last hop that is no listed load balancer. */
export type AskerOf = (remoteAddress: string, forwardedFor: string) => string;

/**
 * X-Forwarded-For counts only where the connection comes from a listed proxy; read from its end, the first address
 * that is not itself a listed proxy is the edge.
 */
export function askerReader(proxies: readonly string[]): AskerOf {
  const isProxy = networkTest(proxies, 'gateway.proxies');
  return (remoteAddress, forwardedFor) => {
    let asker = plainAddress(remoteAddress);
    const hops = forwardedFor === '' ? [] : forwardedFor.split(',');
    for (let i = hops.length - 1; i >= 0 && isProxy(asker); i -= 1) asker = plainAddress(hops[i]!.trim());
    return asker;
  };
}
