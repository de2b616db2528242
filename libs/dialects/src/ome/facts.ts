import type { EdgeConfig } from '#usher/config';
import { digest } from '#usher/domain';
import { BadRequest, type EdgeFacts, type EdgeRequest } from '../dialect.js';
import { textIn, type JsonBody } from '../json-body.js';
import { appStream } from '../app-stream.js';
import { viewerQuery } from '../viewer-query.js';
import { requestedUrl } from './requested-url.js';

const MAX_PORT = 65_535;

/** What OvenMediaEngine tells, in the two halves that it has. */
export interface Told {
  readonly client: JsonBody;
  readonly request: JsonBody;
}

/** @throws BadRequest */
export function toldIn(body: JsonBody): Told {
  return { client: objectIn(body, 'client'), request: objectIn(body, 'request') };
}

/** Who plays or publishes. */
export function omeFacts(
  told: Told,
  { remoteAddress }: EdgeRequest,
  realIp: EdgeConfig['ome']['realIp'],
  isPublisher: boolean,
): EdgeFacts {
  const { host, app, stream, path, query } = requestedUrl(textIn(told.request, 'url'));
  return {
    givenSessionId: sessionIdOf(told, realIp),
    channel: appStream(app, stream),
    ip: viewerAddress(told, realIp) || remoteAddress,
    path,
    userAgent: textIn(told.client, 'user_agent'),
    host,
    origin: '',
    query: viewerQuery(`?${query}`),
    protocol: textIn(told.request, 'protocol'),
    ...(isPublisher && { action: 'publish' as const }),
  };
}

/** It names no session: what it tells of the same one when it closes. The url holds the viewer’s token, and is hashed. */
export function sessionIdOf(told: Told, realIp: EdgeConfig['ome']['realIp']): string {
  const { client, request } = told;
  const port = Object.hasOwn(client, 'port') ? client['port'] : undefined;
  if (!Number.isSafeInteger(port) || Number(port) < 0 || Number(port) > MAX_PORT) {
    throw new BadRequest('port is no number of a port');
  }
  const url = textIn(request, 'url');
  return digest('ome', url, textIn(client, 'address'), String(port), viewerAddress(told, realIp));
}

/** Whoever reaches OvenMediaEngine directly can say what he likes in X-Real-IP: it counts only where a proxy sets it. */
function viewerAddress({ client }: Told, realIp: EdgeConfig['ome']['realIp']): string {
  const address = textIn(client, 'address');
  return realIp === 'trusted' ? textIn(client, 'real_ip') || address : address;
}

function objectIn(body: JsonBody, name: string): JsonBody {
  const value = Object.hasOwn(body, name) ? body[name] : undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new BadRequest(`${name} is no object`);
  }
  return value as JsonBody;
}
