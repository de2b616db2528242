/** What ends letting in on trust at one backend. */
export interface TrustLimits {
  /** After so long, ms. */
  readonly maxOutage?: number;
  readonly budget?: {
    /** Sessions on trust at once. */
    readonly viewers?: number;
    /** In one outage. */
    readonly viewerMinutes?: number;
    /** False: it is only announced. */
    readonly enforce: boolean;
  };
}

export interface TrustNews {
  readonly type: 'outage.expiring' | 'outage.expired';
  readonly limit: 'maxOutage' | 'failOpenBudget';
  /** In the outage's record: whoever writes it tells. */
  readonly mark: string;
  /** Of maxOutage: when it ends, cluster time, ms. */
  readonly endsAt?: number;
  readonly onTrust?: number;
  readonly viewerMinutes?: number;
  readonly enforced?: 'yes' | 'no';
}

/** So much of maxOutage before its end it is announced, … */
const BEFORE = 0.1;
/** … but no more than this, ms. */
const BEFORE_AT_MOST = 600_000;
/** A budget is announced when so much of it is spent. */
const NEARLY = 0.9;

/** How far an outage is from the limits of letting in on trust. Budgets go by what the last round read: about a second. */
export class TrustLimit {
  #onTrust = 0;
  #viewerMinutes = 0;

  constructor(private readonly limits: TrustLimits) {}

  get hasBudget(): boolean {
    return this.limits.budget !== undefined;
  }

  /** Another outage. */
  begin(): void {
    this.#onTrust = 0;
    this.#viewerMinutes = 0;
  }

  /** What the cluster has spent. */
  spent(onTrust: number, viewerMinutes: number): void {
    this.#onTrust = onTrust;
    this.#viewerMinutes = viewerMinutes;
  }

  /** Only while the breaker is not closed: `downSince`. */
  ended(downSince: number | undefined, now: number): 'maxOutage' | 'failOpenBudget' | undefined {
    if (downSince === undefined) return undefined;
    const { maxOutage, budget } = this.limits;
    if (maxOutage !== undefined && now - downSince >= maxOutage) return 'maxOutage';
    return budget?.enforce === true && this.#share() >= 1 ? 'failOpenBudget' : undefined;
  }

  /** What is to be announced by now; whoever marks it first announces it. */
  news(downSince: number, now: number): TrustNews[] {
    const { maxOutage, budget } = this.limits;
    const news: TrustNews[] = [];
    if (maxOutage !== undefined) {
      const endsAt = downSince + maxOutage;
      const limit = 'maxOutage';
      if (now >= endsAt) news.push({ type: 'outage.expired', limit, mark: 'expiredAt', endsAt });
      else if (now >= endsAt - Math.min(BEFORE * maxOutage, BEFORE_AT_MOST)) {
        news.push({ type: 'outage.expiring', limit, mark: 'expiringAt', endsAt });
      }
    }
    if (budget !== undefined && this.#share() >= NEARLY) {
      const isSpent = this.#share() >= 1;
      news.push({
        type: isSpent ? 'outage.expired' : 'outage.expiring',
        limit: 'failOpenBudget',
        mark: isSpent ? 'budgetSpentAt' : 'budgetLowAt',
        onTrust: this.#onTrust,
        viewerMinutes: Math.round(this.#viewerMinutes),
        enforced: budget.enforce ? 'yes' : 'no',
      });
    }
    return news;
  }

  /** Of the budget that is nearest to its end; 1 = spent. */
  #share(): number {
    const { viewers = Infinity, viewerMinutes = Infinity } = this.limits.budget ?? {};
    return Math.max(this.#onTrust / viewers, this.#viewerMinutes / viewerMinutes);
  }
}
