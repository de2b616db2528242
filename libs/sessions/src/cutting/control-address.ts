import { edgeAddress } from './edge-call.js';
import type { EdgeApi } from './edge-call.js';

/** Where an Astra takes orders: its address with /control/, and what is sent along. Throws where the address is none. */
export function controlAddress(api: EdgeApi): { address: string; headers: Readonly<Record<string, string>> } {
  const { url, headers } = edgeAddress(api);
  url.search = '';
  url.hash = '';
  if (!/\/control\/?$/.test(url.pathname)) url.pathname = `${url.pathname.replace(/\/$/, '')}/control/`;
  return { address: url.href, headers: { 'content-type': 'application/json', ...headers } };
}
