import { createServer, request as send } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { request as sendSecure } from 'node:https';
import type { Clock } from '#usher/domain';

/** What a player asks its Astra for. Strings are byte strings. */
export interface Play {
  readonly channel: string;
  /** Without the leading `?`. */
  readonly query?: string;
  readonly ip?: string;
  readonly ua?: string;
  /** Default `/play/<channel>/index.m3u8`. */
  readonly path?: string;
  readonly host?: string;
  /** Without it Astra counts. */
  readonly sessionId?: string;
}

export interface Played {
  readonly sessionId: string;
  /** Whether the player got its stream. */
  readonly allowed: boolean;
  /** False: nobody answered, and Astra let the player in by itself. */
  readonly answered: boolean;
  /** 0 where nobody answered. */
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly tookMs: number;
}

export interface FakeAstraOptions {
  /** The address of its HTTP Request backend, without a query. */
  readonly auth: string;
  /** Where it reports closed sessions; none: it does not. */
  readonly webhook?: string;
  /** For its control API. */
  readonly user?: string;
  readonly password?: string;
  /** `own`: its list names sessions otherwise than X-Session-ID does. Which is true is UNVERIFIED. */
  readonly listedIds?: 'x-session-id' | 'own';
  /** How long it waits for an answer, ms. UNVERIFIED; default 5,000. */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
}

/** One line of the session list, as Astra documents it. */
export interface AstraSession {
  readonly client_id: string;
  readonly channel_id: string;
  readonly channel_name: string;
  readonly addr: string;
  /** Seconds. */
  readonly uptime: number;
}

interface OwnSession extends Omit<AstraSession, 'uptime'> {
  readonly sessionId: string;
  readonly startedAt: number;
}

const systemClock: Clock = { monotonic: () => performance.now(), now: () => Date.now() };

/** UNVERIFIED: what Astra sends to its Sessions Webhook when a session closes is not documented. */
export function webhookPayload(session: AstraSession): string {
  return JSON.stringify({ event: 'close', session });
}

/** Documented: 200 lets in, 401 and 403 do not. UNVERIFIED: everything else is taken for a refusal here. */
function letsIn(status: number): boolean {
  return status === 200;
}

export async function startFakeAstra(options: FakeAstraOptions): Promise<FakeAstra> {
  const astra = new FakeAstra(options);
  await astra.listen();
  return astra;
}

/**
 * A streaming server as Cesbo documents it: asks its HTTP backend once at each session's start, lets in when nobody
 * answers, lists and closes sessions over its control API.
 */
export class FakeAstra {
  /** What its control API was told, oldest first. */
  readonly commands: string[] = [];
  #port = 0;
  #count = 0;
  #sessions = new Map<string, OwnSession>();
  /** Players who want to know when their session ends. */
  readonly #players = new Map<string, (() => void)[]>();
  readonly #clock: Clock;
  readonly #server = createServer((request, response) => void this.#control(request, response));

  constructor(private readonly options: FakeAstraOptions) {
    this.#clock = options.clock ?? systemClock;
  }

  /** What belongs into the edge's `control.url`. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Its session list, as its control API gives it. */
  get sessions(): readonly AstraSession[] {
    return [...this.#sessions.values()].map((session) => this.#listed(session));
  }

  hasSession(sessionId: string): boolean {
    return this.#sessions.has(sessionId);
  }

  /** Resolves when a session ends, as its player sees it: by an order, a restart, or its own going. */
  async ended(sessionId: string): Promise<void> {
    if (!this.#sessions.has(sessionId)) return;
    const players = this.#players.get(sessionId) ?? [];
    this.#players.set(sessionId, players);
    await new Promise<void>((resolve) => players.push(resolve));
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    const bound = this.#server.address();
    if (bound !== null && typeof bound !== 'string') this.#port = bound.port;
  }

  /** A player starts: the backend is asked, and where it allows or does not answer, a session begins. */
  async play(play: Play): Promise<Played> {
    const sessionId = play.sessionId ?? String((this.#count += 1));
    const { ip = '192.0.2.7' } = play;
    const started = performance.now();
    const answer = await this.#ask(play, sessionId, ip).catch(() => undefined);
    const allowed = answer === undefined || letsIn(answer.status);
    if (allowed) this.#begin(sessionId, play.channel, ip);
    return {
      sessionId,
      allowed,
      answered: answer !== undefined,
      status: answer?.status ?? 0,
      headers: answer?.headers ?? {},
      body: answer?.body ?? '',
      tookMs: performance.now() - started,
    };
  }

  /** The player goes, or its session's time is up: the session closes, and the webhook is told. */
  async close(sessionId: string): Promise<void> {
    const session = this.#sessions.get(sessionId);
    if (session === undefined) throw new Error(`no session ${sessionId}`);
    this.#sessions.delete(sessionId);
    this.#tellPlayers(sessionId);
    await this.#report(session);
  }

  /** All sessions are gone, the webhook is not told, and the next one is number 1 again. */
  restart(): void {
    const ended = [...this.#sessions.keys()];
    this.#sessions = new Map();
    this.#count = 0;
    ended.forEach((sessionId) => this.#tellPlayers(sessionId));
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #tellPlayers(sessionId: string): void {
    const players = this.#players.get(sessionId) ?? [];
    this.#players.delete(sessionId);
    players.forEach((tell) => tell());
  }

  #begin(sessionId: string, channel: string, ip: string): void {
    this.#sessions.set(sessionId, {
      sessionId,
      client_id:
        this.options.listedIds === 'own' ? `c${sessionId}-${Math.trunc(this.#clock.now())}` : sessionId,
      channel_id: channel,
      channel_name: `Channel ${channel}`,
      addr: ip,
      startedAt: this.#clock.now(),
    });
  }

  #listed({ sessionId: _, startedAt, ...session }: OwnSession): AstraSession {
    return { ...session, uptime: Math.floor((this.#clock.now() - startedAt) / 1_000) };
  }

  #ask(
    play: Play,
    sessionId: string,
    ip: string,
  ): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }> {
    const { auth, timeoutMs = 5_000 } = this.options;
    const { query = '', path = `/play/${play.channel}/index.m3u8` } = play;
    return exchange(auth + (query === '' ? '' : `?${query}`), {
      timeoutMs,
      headers: {
        'X-Session-ID': sessionId,
        'X-Channel-ID': play.channel,
        'X-Real-IP': ip,
        'X-Real-Path': path,
        'X-Real-UA': play.ua ?? 'VLC/3.0.20 LibVLC/3.0.20',
        'X-Real-Host': play.host ?? 'live.example.com',
      },
    });
  }

  async #report(session: OwnSession): Promise<void> {
    const { webhook } = this.options;
    if (webhook === undefined) return;
    const body = webhookPayload(this.#listed(session));
    await exchange(webhook, { timeoutMs: 5_000, body, headers: { 'Content-Type': 'application/json' } });
  }

  /** POST /control/ with basic auth: `{"cmd":"sessions"}` and `{"cmd":"close-session","id":"…"}`. */
  async #control(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await textOf(request);
    if (request.method !== 'POST' || request.url !== '/control/') return void response.writeHead(404).end();
    if (!this.#mayControl(request)) {
      return void response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="Astra"' }).end();
    }
    const answer = await this.#obey(text);
    const status = answer === undefined ? 400 : 200;
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer ?? {}));
  }

  #mayControl(request: IncomingMessage): boolean {
    const { user, password = '' } = this.options;
    if (user === undefined) return true;
    const expected = Buffer.from(`${user}:${password}`).toString('base64');
    return request.headers.authorization === `Basic ${expected}`;
  }

  async #obey(text: string): Promise<object | undefined> {
    const order = parseOrder(text);
    this.commands.push(String(order?.cmd));
    if (order?.cmd === 'sessions') return { sessions: this.sessions };
    if (order?.cmd !== 'close-session') return undefined;
    const session = [...this.#sessions.values()].find(({ client_id }) => client_id === order.id);
    if (session !== undefined) await this.close(session.sessionId).catch(() => undefined);
    return {};
  }
}

function parseOrder(text: string): { cmd?: unknown; id?: unknown } | undefined {
  try {
    const order: unknown = JSON.parse(text);
    return typeof order === 'object' && order !== null ? order : undefined;
  } catch {
    return undefined;
  }
}

interface Exchange {
  readonly headers: Record<string, string>;
  readonly timeoutMs: number;
  /** Then it is a POST. */
  readonly body?: string;
}

/** One request on a connection of its own; header values and the query travel byte for byte. Rejects without an answer. */
function exchange(address: string, { headers, timeoutMs, body }: Exchange) {
  return new Promise<{ status: number; headers: IncomingHttpHeaders; body: string }>((resolve, reject) => {
    const [, scheme, authority, target] = /^(https?):\/\/([^/?]+)(.*)$/s.exec(address) ?? [];
    if (authority === undefined || target === undefined) throw new Error(`${address} is no address`);
    const { hostname, port } = new URL(`${scheme}://${authority}`);
    const options = {
      hostname: hostname.replace(/^\[|\]$/g, ''),
      port,
      path: target.startsWith('/') ? target : `/${target}`,
      method: body === undefined ? 'GET' : 'POST',
      headers,
      agent: false,
      rejectUnauthorized: false,
      signal: AbortSignal.timeout(timeoutMs),
    } as const;
    const request = (scheme === 'https' ? sendSecure : send)(options, (response) => {
      textOf(response).then(
        (text) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
        reject,
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function textOf(stream: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
