import type { Log } from '#usher/domain';

/** Load balancers that were told of; a network full of others is told of no further. */
const MOST = 100;
/** What only something in between adds: a streaming server that asks us itself sends none of them. */
const HOPS = ['x-forwarded-for', 'forwarded', 'via'] as const;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Finds a mistake: an edge that is named by its source address asks through a load balancer that is not listed, so that
 * all edges behind that are taken for one. Said once for each address.
 */
export function unlistedProxyWatch(
  log: Pick<Log, 'warn'>,
): (edge: string, address: string, headers: Headers) => void {
  const told = new Set<string>();
  return (edge, address, headers) => {
    const header = HOPS.find((name) => headers[name] !== undefined);
    if (header === undefined || told.size >= MOST || told.has(address)) return;
    told.add(address);
    log.warn(
      { edge, ip: address, header },
      `${edge} is named by its address, and ${address} sends ${header}: if that is a load balancer, list it in gateway.proxies, or all edges behind it are taken for ${edge}`,
    );
  };
}
