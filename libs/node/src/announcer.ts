import { EventEmitter } from 'node:events';
import type { BreakerRecord, Suspicion } from '#usher/backends';
import type { Log, SessionName } from '#usher/domain';
import type { SwitchChange } from '#usher/sessions';
import { switchSentence } from './cluster-switches.js';
import type { DeniedViewer } from './denied-viewers.js';
import type { RefreshedUser } from './user-refresh.js';

interface News {
  /** A breaker turned. The outage is over when `now.state` is closed. */
  breaker: [backend: string, now: BreakerRecord, before: BreakerRecord];
  /** This process does not reach the backend while others do, or does again. */
  isolated: [backend: string, isolated: boolean];
  /** Its answers are clean and yet unlike it; undefined: that is over. */
  suspicious: [backend: string, suspicion: Suspicion | undefined];
  /** An operator's switch was set or lifted, or is over. */
  switched: [change: SwitchChange];
  /** What is kept of this user is to be forgotten. */
  refreshed: [refreshed: RefreshedUser];
  /** This viewer is refused when his backend is asked again: he is known no more. */
  denied: [denied: DeniedViewer];
  /** Sessions were ended, in whichever process that was noticed. */
  closed: [names: readonly SessionName[]];
  /** Nobody asked about these sessions for their life: they are listed no more, and may come back. */
  idle: [names: readonly SessionName[]];
  /** Events of the control stream were lost: what they tell about is to be read again. */
  gap: [];
}

/** On screens and in logs a breaker is never "open". */
const WORDS: Readonly<Record<string, string>> = {
  closed: 'is asked again',
  suspended: 'is suspended',
  'half-open': 'is suspended and probed',
  ramping: 'answers again: its questions are let through step by step',
};

/** What the roles of this process listen to. */
export class Announcer {
  private readonly emitter = new EventEmitter<News>();

  constructor(private readonly log: Log) {}

  on<Kind extends keyof News>(kind: Kind, listener: (...news: News[Kind]) => void): void {
    this.emitter.on(kind, listener as never);
  }

  breaker(backend: string, now: BreakerRecord, before: BreakerRecord): void {
    if (now.state !== before.state) this.log.warn({ backend }, `${backend} ${WORDS[now.state] ?? now.state}`);
    this.emitter.emit('breaker', backend, now, before);
  }

  isolated(backend: string, isolated: boolean): void {
    const what = isolated
      ? 'cannot be reached from here, while others reach it'
      : 'is reached from here again';
    this.log.warn({ backend }, `${backend} ${what}`);
    this.emitter.emit('isolated', backend, isolated);
  }

  suspicious(backend: string, suspicion: Suspicion | undefined): void {
    if (suspicion === undefined) this.log.info({ backend }, `${backend} answers as usual again`);
    else this.log.warn({ backend, ...suspicion }, `backend.suspicious: ${backend} ${whatIsWrong(suspicion)}`);
    this.emitter.emit('suspicious', backend, suspicion);
  }

  switched(change: SwitchChange): void {
    const { what, kind, name, now, by, reason } = change;
    const words = what === 'lifted' ? `the switch was lifted by ${by}` : 'its switch is over';
    const sentence = now === undefined ? `${kind} ${name}: ${words}` : switchSentence(now);
    this.log.info({ kind, name, reason: what === 'over' ? undefined : reason }, sentence);
    this.emitter.emit('switched', change);
  }

  refreshed(refreshed: RefreshedUser): void {
    this.emitter.emit('refreshed', refreshed);
  }

  denied(denied: DeniedViewer): void {
    this.emitter.emit('denied', denied);
  }

  closed(names: readonly SessionName[]): void {
    this.emitter.emit('closed', names);
  }

  idle(names: readonly SessionName[]): void {
    this.emitter.emit('idle', names);
  }

  gap(): void {
    this.emitter.emit('gap');
  }
}

function whatIsWrong(suspicion: Suspicion): string {
  if (suspicion.kind !== 'canary') return 'answers unlike itself';
  const { wrong, proven } = suspicion;
  const words = wrong.map((name) =>
    name === 'allow' ? 'refuses its must-allow canary' : 'allows its must-deny canary',
  );
  const doubt = proven.length < wrong.length ? '; never answered rightly: perhaps the canary is wrong' : '';
  return `${words.join(' and ')}${doubt}`;
}
