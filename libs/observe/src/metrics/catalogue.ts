/** What a metric is. Counters only rise and end in `_total`; times are in seconds. */
export interface MetricDefinition<Label extends string = string> {
  readonly name: `usher_${string}`;
  readonly help: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly Label[];
}

function define<const Label extends string>(definition: MetricDefinition<Label>): MetricDefinition<Label> {
  return Object.freeze(definition);
}

/** Every metric of ours, in one table: who has the number plugs it in with `metrics.read(METRICS.…, rows)`. */
export const METRICS = {
  info: define({
    name: 'usher_info',
    help: 'Always 1; says which version and role this process is.',
    kind: 'gauge',
    labels: ['version', 'role', 'node'],
  }),
  checks: define({
    name: 'usher_checks_total',
    help: 'Checks answered, by dialect, decision (allow, deny) and the rung of the ladder that answered.',
    kind: 'counter',
    labels: ['dialect', 'decision', 'source'],
  }),
  checkDuration: define({
    name: 'usher_check_duration_seconds',
    help: 'Time from a check’s arrival to its answer, by the rung of the ladder that answered.',
    kind: 'histogram',
    labels: ['source'],
  }),
  cacheLookups: define({
    name: 'usher_cache_lookups_total',
    help: 'Lookups in the decision cache; hits over all is its hit ratio.',
    kind: 'counter',
    labels: ['result'],
  }),
  cacheEntries: define({
    name: 'usher_cache_entries',
    help: 'Decisions kept in memory.',
    kind: 'gauge',
    labels: [],
  }),
  knownViewers: define({
    name: 'usher_known_viewers',
    help: 'Known viewers kept in memory.',
    kind: 'gauge',
    labels: [],
  }),
  viewers: define({
    name: 'usher_viewers',
    help: 'Viewers while their backend cannot be asked: carried, known, on-trust. Never summed: only the last are free.',
    kind: 'gauge',
    labels: ['backend', 'standing'],
  }),
  sessions: define({
    name: 'usher_sessions',
    help: 'Sessions in the registry by presence: seen, listed, assumed.',
    kind: 'gauge',
    labels: ['presence'],
  }),
  limitReached: define({
    name: 'usher_limit_reached_total',
    help: 'Devices over a user’s cap: refused, evicted (in mode observe: would have been); unchecked: Redis was away.',
    kind: 'counter',
    labels: ['mode', 'result'],
  }),
  protection: define({
    name: 'usher_protection_tripped_total',
    help: 'Limits of the protection that somebody passed: held; observed (would have been held); spared (who stands for many); failed.',
    kind: 'counter',
    labels: ['measure', 'result'],
  }),
  limitSurplus: define({
    name: 'usher_limit_surplus_total',
    help: 'Sessions that were found over a cap when devices were counted again (control only); observe: were not cut.',
    kind: 'counter',
    labels: ['mode'],
  }),
  breakerState: define({
    name: 'usher_breaker_state',
    help: '1 for the state that the backend’s breaker is in: closed, suspended, half-open, ramping.',
    kind: 'gauge',
    labels: ['backend', 'state'],
  }),
  breakerTransitions: define({
    name: 'usher_breaker_transitions_total',
    help: 'Changes of the backend’s breaker, by the state that it went to.',
    kind: 'counter',
    labels: ['backend', 'to'],
  }),
  switched: define({
    name: 'usher_switched',
    help: '1 while an operator keeps a backend or route from being asked; mode: maintenance, open, stale, closed.',
    kind: 'gauge',
    labels: ['backend', 'route', 'mode'],
  }),
  suspicious: define({
    name: 'usher_backend_suspicious',
    help: '1 while the backend’s answers are unlike it, by the guard of any process or by its canaries.',
    kind: 'gauge',
    labels: ['backend'],
  }),
  canaries: define({
    name: 'usher_canaries_total',
    help: 'Canaries that were sent (control only): right, wrong, unavailable.',
    kind: 'counter',
    labels: ['result'],
  }),
  backendCalls: define({
    name: 'usher_backend_calls_total',
    help: 'Questions for a backend by how they ended: allow, deny, or why no answer could be had.',
    kind: 'counter',
    labels: ['backend', 'result'],
  }),
  backendDuration: define({
    name: 'usher_backend_call_duration_seconds',
    help: 'Time of one call to a backend, probes and calls for a second opinion included.',
    kind: 'histogram',
    labels: ['backend'],
  }),
  backendInFlight: define({
    name: 'usher_backend_calls_in_flight',
    help: 'Calls to a backend that are not answered yet, of this process.',
    kind: 'gauge',
    labels: ['backend'],
  }),
  busAsked: define({
    name: 'usher_bus_asked_total',
    help: 'Questions that this process put on the bus: sent, and how they ended but for those that ran out of time.',
    kind: 'counter',
    labels: ['result'],
  }),
  busTimeouts: define({
    name: 'usher_bus_timeouts_total',
    help: 'Questions that no worker took in time (not-taken), or that one took and did not answer in time (silent).',
    kind: 'counter',
    labels: ['kind'],
  }),
  busServed: define({
    name: 'usher_bus_served_total',
    help: 'Questions that this worker read from the bus: taken, replied, failed, expired (dropped unread), malformed.',
    kind: 'counter',
    labels: ['result'],
  }),
  busLag: define({
    name: 'usher_bus_lag',
    help: 'Questions that wait in a lane of the bus, of the whole cluster; counted every few seconds.',
    kind: 'gauge',
    labels: ['lane'],
  }),
  busGaps: define({
    name: 'usher_bus_gaps_total',
    help: 'Times that events of the control stream were missed; what they told about was read again.',
    kind: 'counter',
    labels: [],
  }),
  eventsConsumed: define({
    name: 'usher_events_consumed_total',
    help: 'Lifecycle events that control read and handed on, by type.',
    kind: 'counter',
    labels: ['type'],
  }),
  eventsLag: define({
    name: 'usher_events_lag',
    help: 'Lifecycle events that wait to be read, in the shards that this control has.',
    kind: 'gauge',
    labels: [],
  }),
  eventsMissed: define({
    name: 'usher_events_missed_total',
    help: 'Lifecycle events that were pushed out of their streams before control read them.',
    kind: 'counter',
    labels: [],
  }),
  webhookDeliveries: define({
    name: 'usher_webhook_deliveries_total',
    help: 'Tries to deliver to a webhook’s receiver: delivered, failed (tried again), gone (410).',
    kind: 'counter',
    labels: ['receiver', 'result'],
  }),
  webhookEvents: define({
    name: 'usher_webhook_events_total',
    help: 'Events for a webhook’s receiver: delivered, dead (given up, a dead letter), dropped (too many, or it is gone).',
    kind: 'counter',
    labels: ['receiver', 'result'],
  }),
  webhookWaiting: define({
    name: 'usher_webhook_waiting',
    help: 'Events that wait for a webhook’s receiver, of the whole cluster; counted every few seconds.',
    kind: 'gauge',
    labels: ['receiver'],
  }),
  webhookDeadLetters: define({
    name: 'usher_webhook_dead_letters',
    help: 'Events that were given up and are kept to be sent again, of the whole cluster.',
    kind: 'gauge',
    labels: [],
  }),
  redisAway: define({
    name: 'usher_redis_away',
    help: '1 while Redis is taken for away.',
    kind: 'gauge',
    labels: [],
  }),
  clockOffset: define({
    name: 'usher_clock_offset_seconds',
    help: 'Redis’ time minus this machine’s.',
    kind: 'gauge',
    labels: [],
  }),
  eventLoopLag: define({
    name: 'usher_event_loop_lag_seconds',
    help: 'Delay of the event loop since the last scrape: mean, p99, max.',
    kind: 'gauge',
    labels: ['quantile'],
  }),
  whyDropped: define({
    name: 'usher_why_dropped_total',
    help: 'Answers that could not be recorded in Redis for `why`; this process still remembers them.',
    kind: 'counter',
    labels: [],
  }),
  unreadable: define({
    name: 'usher_metrics_unreadable_total',
    help: 'Metrics left out of a scrape, because their source failed, was late or had too many rows.',
    kind: 'counter',
    labels: ['metric'],
  }),
} as const;
