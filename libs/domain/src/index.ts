export type {
  AllowAnswer,
  BackendAnswer,
  Because,
  DenyAnswer,
  Redirect,
  UnavailableAnswer,
} from './answer.js';
export { DIALECT_NAMES } from './check.js';
export type { Action, AskingHabit, Check, DialectName, Identity } from './check.js';
export type { Clock, Random } from './clock.js';
export { isOnTrust } from './decision.js';
export type { Decision, Source } from './decision.js';
export type { FailMode, Mode, OverloadPolicy } from './fail-mode.js';
export { NO_HOLDS } from './hold.js';
export type { HeldFacts, Hold, HoldKind, HoldOrigin, Holds } from './hold.js';
export {
  credentialKeyOf,
  derivedSessionId,
  digest,
  fingerprintOf,
  networkOf,
  queryParameter,
  viewerKeyOf,
} from './identity.js';
export type { FingerprintParts } from './identity.js';
export { maskedPath } from './masked-path.js';
export { panelLogin, unescaped, withoutQuery } from './panel-login.js';
export type { PanelLogin } from './panel-login.js';
export { NO_RENEWALS } from './renewal.js';
export type { Renewal, Renewals } from './renewal.js';
export type { DeviceKind, DeviceLimits, LimitMode, Newcomer, OverLimit } from './limit.js';
export { silentLog } from './log.js';
export type { Log, LogFields } from './log.js';
export type {
  Admission,
  Asked,
  BackendPort,
  BreakerGate,
  FoundSession,
  KnownGrant,
  KnownViewer,
  KnownViewers,
  Question,
  QuestionBus,
  SessionRegistry,
} from './ports.js';
export { REASONS, reasonSentence } from './reason.js';
export type { ReasonCode } from './reason.js';
export { REMEDIES, remedyOf } from './remedy.js';
export type { RuleAllow, RuleChain, RuleDenial, RuleInput, RuleOutcome, Rules } from './rules.js';
export type { CloseReason, Presence, Session, SessionName, SessionState } from './session.js';
export { NO_SWITCHES } from './switch.js';
export type { Switch, Switches, SwitchKind, SwitchMode } from './switch.js';
export { cut, readable, stripControls } from './text.js';
