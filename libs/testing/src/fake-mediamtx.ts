import { randomUUID } from 'node:crypto';
import { FakeEdgeApi } from './fake-edge-api.js';
import type { EdgeApiReply, EdgeApiRequest } from './fake-edge-api.js';

/** The lists of a MediaMTX in which players are. */
export type MediaMtxKind =
  | 'hlssessions'
  | 'webrtcsessions'
  | 'rtmpconns'
  | 'rtmpsconns'
  | 'srtconns'
  | 'rtspsessions'
  | 'rtspssessions';

export interface FakeMediaMtxOptions {
  /** For its API. */
  readonly user?: string;
  readonly password?: string;
  /** The protocols that are on. Default all. */
  readonly kinds?: readonly MediaMtxKind[];
  /** Versions of 2025 and later say which session an RTSP connection has. Default true. */
  readonly namesSessions?: boolean;
}

interface Player {
  readonly kind: MediaMtxKind;
  readonly id: string;
  /** RTSP: what the question named. */
  readonly connection?: string;
  readonly remoteAddr: string;
}

const ALL: readonly MediaMtxKind[] = [
  'hlssessions',
  'webrtcsessions',
  'rtmpconns',
  'rtmpsconns',
  'srtconns',
  'rtspsessions',
  'rtspssessions',
];

/** The part of MediaMTX's API by which players are listed and kicked (internal/api). */
export class FakeMediaMtx extends FakeEdgeApi {
  #players: Player[] = [];
  #ports = 40_000;

  constructor(private readonly options: FakeMediaMtxOptions = {}) {
    super((request) => this.#answer(request));
  }

  /** The ids of who plays. */
  get playing(): readonly string[] {
    return this.#players.map(({ connection, id }) => connection ?? id);
  }

  /** Somebody plays: the id that the question to the authorization service names. */
  play(kind: MediaMtxKind, ip = '192.0.2.7'): string {
    const isRtsp = kind.startsWith('rtsp');
    const player = {
      kind,
      id: randomUUID(),
      ...(isRtsp ? { connection: randomUUID() } : {}),
      remoteAddr: `${ip}:${(this.#ports += 1)}`,
    };
    this.#players.push(player);
    return player.connection ?? player.id;
  }

  #answer({ line, headers }: EdgeApiRequest): EdgeApiReply {
    const { user, password = '', kinds = ALL } = this.options;
    const expected = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    if (user !== undefined && headers.authorization !== expected) return problem(401, 'authentication error');
    const [, method, list = '', call, id = ''] =
      /^(\w+) \/v3\/(\w+)\/(\w+)(?:\/([^/?]+))?(?:\?.*)?$/.exec(line) ?? [];
    const kind = kinds.find(
      (one) => one === list || (list.endsWith('conns') && one === list.replace('conns', 'sessions')),
    );
    if (kind === undefined) return noSuchCall;
    if (method === 'POST' && call === 'kick' && kind === list) return this.#kick(kind, id);
    if (method === 'GET' && call === 'get' && kind !== list) return this.#connection(kind, id);
    if (method === 'GET' && call === 'list' && kind === list) return this.#list(kind);
    return noSuchCall;
  }

  #kick(kind: MediaMtxKind, id: string): EdgeApiReply {
    const player = this.#players.find((one) => one.kind === kind && one.id === id);
    if (player === undefined) return problem(404, 'session not found');
    this.#players = this.#players.filter((one) => one !== player);
    return json({ status: 'ok' });
  }

  #connection(kind: MediaMtxKind, id: string): EdgeApiReply {
    const player = this.#players.find((one) => one.kind === kind && one.connection === id);
    if (player === undefined) return problem(404, 'connection not found');
    const { namesSessions = true } = this.options;
    return json({ id, remoteAddr: player.remoteAddr, ...(namesSessions ? { session: player.id } : {}) });
  }

  #list(kind: MediaMtxKind): EdgeApiReply {
    const items = this.#players
      .filter((one) => one.kind === kind)
      .map(({ id, remoteAddr }) => ({ id, remoteAddr }));
    return json({ itemCount: items.length, pageCount: 1, items });
  }
}

export async function startFakeMediaMtx(options: FakeMediaMtxOptions = {}): Promise<FakeMediaMtx> {
  const server = new FakeMediaMtx(options);
  await server.listen();
  return server;
}

/** Its router's answer to a path that it does not know. */
const noSuchCall: EdgeApiReply = {
  status: 404,
  body: '404 page not found',
  headers: { 'Content-Type': 'text/plain' },
};

function problem(status: number, error: string): EdgeApiReply {
  return { ...json({ status: 'error', error }), status };
}

function json(body: object): { status: number; body: string; headers: Record<string, string> } {
  return {
    status: 200,
    body: JSON.stringify(body),
    headers: { 'Content-Type': 'application/json; charset=utf-8' },
  };
}
