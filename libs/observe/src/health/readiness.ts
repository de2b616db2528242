import type { Log } from '#usher/domain';
import type { HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { cleanFields, cleanText } from '../logs/clean.js';
import type { HealthContribution } from './contribution.js';

/** Whether the process can do its work, asked of its roles. Says in the log when that changes. */
export class Readiness {
  readonly #contributions: readonly HealthContribution[];
  readonly #log: Log;
  readonly #wasReady = new Set<string>();
  readonly #unready = new Set<string>();
  #draining = false;

  constructor(contributions: readonly HealthContribution[], log: Log) {
    this.#contributions = contributions;
    this.#log = log;
  }

  /** On SIGTERM: not ready any more, whatever the roles say, so that nobody sends new work. */
  setDraining(): void {
    if (!this.#draining) this.#log.info({}, 'draining: not ready for new work any more');
    this.#draining = true;
  }

  /** One indicator for each role. A role that cannot even say how it is, is down. */
  ready(indicators: HealthIndicatorService): (() => HealthIndicatorResult)[] {
    return this.#contributions.map((one) => () => this.#ask(one, indicators));
  }

  /** Each role was ready once: from then on it has started, even if it is not ready later. */
  started(indicators: HealthIndicatorService): (() => HealthIndicatorResult)[] {
    return this.#contributions.map((one) => () => {
      if (!this.#wasReady.has(one.name) && isReady(one)) this.#wasReady.add(one.name);
      const check = indicators.check(one.name);
      return this.#wasReady.has(one.name) ? check.up() : check.down('starting');
    });
  }

  #ask(one: HealthContribution, indicators: HealthIndicatorService): HealthIndicatorResult {
    const check = indicators.check(one.name);
    if (this.#draining) return check.down('draining');
    try {
      const ready = one.ready();
      this.#tell(one.name, ready);
      const problems = one.degraded().map(cleanText);
      const about = { ...cleanDetails(one), ...(problems.length === 0 ? {} : { problems }) };
      if (!ready) return check.down(about);
      return problems.length === 0 ? check.up(about) : check.degraded(about);
    } catch (error) {
      this.#tell(one.name, false, error);
      return check.down('it cannot say how it is');
    }
  }

  /** Only a change is worth a line: orchestrators ask every few seconds. */
  #tell(role: string, ready: boolean, error?: unknown): void {
    if (ready) {
      this.#wasReady.add(role);
      if (this.#unready.delete(role)) this.#log.info({ role }, 'ready again');
    } else if (!this.#unready.has(role)) {
      this.#unready.add(role);
      const said = error === undefined ? {} : { err: error };
      if (this.#wasReady.has(role) || error !== undefined) this.#log.warn({ role, ...said }, 'not ready');
    }
  }
}

function isReady(one: HealthContribution): boolean {
  try {
    return one.ready();
  } catch {
    return false;
  }
}

/** `status` is the indicator's own word. */
function cleanDetails(one: HealthContribution): Record<string, unknown> {
  const { status, ...rest } = cleanFields(one.details?.() ?? {});
  return status === undefined ? rest : { ...rest, state: status };
}
