import { networkTest, plainAddress } from './networks.js';

/** Who asks, behind our own load balancers. */
export interface Asker {
  readonly address: string;
  /** X-Forwarded-For as the asker sent it: without the hops that load balancers of ours appended, and without its own. */
  readonly forwardedFor: string;
  /** The connection is a load balancer's. */
  readonly isProxied: boolean;
}

/** Says from which address a request comes: the last hop that is no listed load balancer. */
export type AskerOf = (remoteAddress: string, forwardedFor: string) => Asker;

/**
 * X-Forwarded-For counts only where the connection comes from a listed proxy; read from its end, the first address
 * that is not itself a listed proxy is the edge.
 */
export function askerReader(proxies: readonly string[]): AskerOf {
  const isProxy = networkTest(proxies, 'gateway.proxies');
  return (remoteAddress, forwardedFor) => {
    let address = plainAddress(remoteAddress);
    if (!isProxy(address)) return { address, forwardedFor, isProxied: false };
    const hops = forwardedFor === '' ? [] : forwardedFor.split(',');
    while (hops.length > 0 && isProxy(address)) address = plainAddress(hops.pop()!.trim());
    return { address, forwardedFor: hops.join(','), isProxied: true };
  };
}
