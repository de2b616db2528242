import { isIP } from 'node:net';
import type { ForwardConfig } from '#usher/config';
import { BadRequest, type EdgeRequest } from '../dialect.js';

export type ProxyName = ForwardConfig['proxy'];

/** The viewer's own request, as the proxy tells it. Byte strings. */
export interface ViewerRequest {
  readonly method: string;
  /** Path and query, as they came. */
  readonly uri: string;
  readonly ip: string;
  readonly host: string;
}

/** How a proxy tells of the viewer's request, and what it understands of ours. */
export interface Proxy {
  /** @throws BadRequest that says what the proxy has to send */
  readonly viewerOf: (request: EdgeRequest, hops: number) => ViewerRequest;
  /** A redirect is passed on to the viewer. */
  readonly redirects: boolean;
  /** What it makes of a refusal that is no decision. */
  readonly unavailable: 403 | 503;
  /** When it sends what we cannot understand. */
  readonly misunderstood: 400 | 403;
  /** By which its own cache is told how long an answer holds. */
  readonly ttlHeader?: string;
  /** It gives up by then unless it is told otherwise, ms. */
  readonly deadline?: number;
}

type Headers = EdgeRequest['headers'];

/** One value; node joins several with commas, and of these none counts. */
function one(headers: Headers, name: string): string {
  const value = headers[name];
  return typeof value === 'string' ? value : '';
}

function needed(headers: Headers, name: string, spelling: string, remedy: string): string {
  const value = one(headers, name);
  if (value === '') throw new BadRequest(`${spelling} is missing: ${remedy}`);
  return value;
}

/** Of a method or address that came twice nobody knows which one the proxy meant. */
function single(value: string, spelling: string): string {
  if (value.includes(' ')) throw new BadRequest(`${spelling} is there twice: it has to be set, not added`);
  return value;
}

/** Without the mapping of IPv4 into IPv6. */
function addressOf(text: string, spelling: string): string {
  const address = text.startsWith('::ffff:') && text.includes('.') ? text.slice('::ffff:'.length) : text;
  if (isIP(address) === 0)
    throw new BadRequest(`${spelling} is no address: is it set, and not added to another?`);
  return address;
}

/** The proxy itself appended the last one; with more of our own in front the viewer is further to the left. */
function hop(forwardedFor: string, hops: number): string {
  let end = forwardedFor.length;
  for (let i = 1; i < hops && end > 0; i += 1) end = Math.max(0, forwardedFor.lastIndexOf(',', end - 1));
  return end === 0 ? '' : forwardedFor.slice(forwardedFor.lastIndexOf(',', end - 1) + 1, end).trim();
}

function forwardedFor(request: EdgeRequest, hops: number, remedy: string): string {
  const text = hop(request.forwardedFor ?? one(request.headers, 'x-forwarded-for'), hops);
  if (text === '')
    throw new BadRequest(`X-Forwarded-For is missing, or has fewer than ${hops} hops: ${remedy}`);
  return addressOf(text, 'X-Forwarded-For');
}

/** What has to be set by hand: a viewer sends it himself where the proxy does not, so without it nobody is let in. */
function byHand(remedyOf: (header: string) => string): Proxy['viewerOf'] {
  const get = (headers: Headers, name: string, spelling: string): string =>
    needed(headers, name, spelling, remedyOf(spelling));
  return ({ headers }) => ({
    uri: single(get(headers, 'x-original-uri', 'X-Original-URI'), 'X-Original-URI'),
    method: single(get(headers, 'x-original-method', 'X-Original-Method'), 'X-Original-Method'),
    ip: addressOf(get(headers, 'x-real-ip', 'X-Real-IP'), 'X-Real-IP'),
    host: one(headers, 'x-original-host') || one(headers, 'x-forwarded-host'),
  });
}

const NGINX: Readonly<Record<string, string>> = {
  'X-Original-URI': '$request_uri',
  'X-Original-Method': '$request_method',
  'X-Real-IP': '$remote_addr',
};
const HAPROXY: Readonly<Record<string, string>> = {
  'X-Original-URI': '%[pathq]',
  'X-Original-Method': '%[method]',
  'X-Real-IP': '%[src]',
};

/** Sends all of them by itself, and in place of what a viewer sent, unless it is told to trust viewers. */
function byItself(remedy: string): Proxy['viewerOf'] {
  return (request, hops) => ({
    uri: single(needed(request.headers, 'x-forwarded-uri', 'X-Forwarded-Uri', remedy), 'X-Forwarded-Uri'),
    method: single(
      needed(request.headers, 'x-forwarded-method', 'X-Forwarded-Method', remedy),
      'X-Forwarded-Method',
    ),
    ip: forwardedFor(request, hops, remedy),
    host: one(request.headers, 'x-forwarded-host'),
  });
}

/** The viewer's own method, path, query and Host. Source: ext_authz, HTTP service. */
function byPath(request: EdgeRequest, hops: number): ViewerRequest {
  const { path, query, method, headers } = request;
  if (path === '') throw new BadRequest('no path stands behind the address: is it path_prefix of ext_authz?');
  const remedy = 'put x-forwarded-for into allowed_headers, and set use_remote_address';
  return {
    uri: query === '' ? path : `${path}?${query}`,
    method,
    ip: forwardedFor(request, hops, remedy),
    host: one(headers, 'host'),
  };
}

/** ext_authz waits for 200 ms unless its `timeout` says otherwise, and lets nobody in then. */
const ENVOY_DEADLINE = 150;

/**
 * Statuses. nginx: 2xx, 401, 403, anything else is a 500 to the viewer (ngx_http_auth_request_module.c). HAProxy: 2xx or
 * not, the configuration does the rest. Traefik, Caddy: 2xx, or the whole answer goes to the viewer. Envoy: 200, below
 * 500 to the viewer, from 500 on as `failure_mode_allow` says.
 */
export const PROXIES: Readonly<Record<ProxyName, Proxy>> = {
  nginx: {
    viewerOf: byHand((header) => `nginx: proxy_set_header ${header} ${NGINX[header]};`),
    redirects: false,
    unavailable: 403,
    misunderstood: 403,
    ttlHeader: 'X-Accel-Expires',
  },
  haproxy: {
    viewerOf: byHand((header) => `HAProxy: http-request set-header ${header} ${HAPROXY[header]}`),
    redirects: false,
    unavailable: 403,
    misunderstood: 403,
  },
  traefik: {
    viewerOf: byItself('is it Traefik’s forwardAuth that asks?'),
    redirects: true,
    unavailable: 503,
    misunderstood: 400,
  },
  caddy: {
    viewerOf: byItself('is it Caddy’s forward_auth that asks?'),
    redirects: true,
    unavailable: 503,
    misunderstood: 400,
  },
  envoy: {
    viewerOf: byPath,
    redirects: true,
    unavailable: 503,
    misunderstood: 400,
    deadline: ENVOY_DEADLINE,
  },
};
