import type { HoldKind } from '#usher/domain';
import ipaddr from 'ipaddr.js';
import { plainAddress } from '../plain-address.js';
import { boundUser } from '../registry/session-names.js';

/** Bytes of a subject; what comes over the wire is no longer. */
const MAX_SUBJECT = 512;

/** The subject is not what its kind is made of; the message says what would be. */
export class HoldSubjectError extends Error {
  override readonly name = 'HoldSubjectError';
}

/**
 * A subject in the one form by which holds are set and found.
 * @throws HoldSubjectError
 */
export function holdSubject(kind: HoldKind, subject: string): string {
  if (subject === '' || subject.length > MAX_SUBJECT) {
    throw new HoldSubjectError(`${kind}: 1 to ${MAX_SUBJECT} bytes, not ${subject.length}`);
  }
  switch (kind) {
    case 'address':
      if (!ipaddr.isValid(subject))
        throw new HoldSubjectError(`address: 192.0.2.7 or 2001:db8::7, not ${subject}`);
      return plainAddress(subject);
    case 'network':
      return networkSubject(subject);
    case 'agent':
      if (/^\**$/.test(subject))
        throw new HoldSubjectError('agent: something beside the star, or it is everybody');
      return subject.toLowerCase();
    case 'credential':
    case 'viewer':
      if (!/^[a-z2-7]{26}$/.test(subject))
        throw new HoldSubjectError(`${kind}: 26 letters a-z and digits 2-7`);
      return subject;
    case 'channel':
      return subject;
    case 'user': {
      const [namespace, user] = parted(kind, subject);
      return userSubject(namespace, user);
    }
    case 'user-viewer': {
      const last = subject.lastIndexOf('/');
      const [namespace, user] = parted(kind, subject.slice(0, last));
      return `${userSubject(namespace, user)}/${holdSubject('viewer', subject.slice(last + 1))}`;
    }
  }
}

/** As a hold on this user is found: a name that is too long for a session's record is cut there too. */
export function userSubject(namespace: string, user: string): string {
  return `${namespace}/${boundUser(namespace, user)}`;
}

function networkSubject(subject: string): string {
  try {
    const [address, bits] = ipaddr.parseCIDR(subject);
    const base =
      address.kind() === 'ipv4'
        ? ipaddr.IPv4.networkAddressFromCIDR(subject)
        : ipaddr.IPv6.networkAddressFromCIDR(subject);
    return `${base.toString()}/${bits}`;
  } catch {
    throw new HoldSubjectError(`network: 10.0.0.0/8 or 2001:db8::/32, not ${subject}`);
  }
}

function parted(kind: HoldKind, subject: string): [namespace: string, user: string] {
  const slash = subject.indexOf('/');
  if (slash < 1 || slash === subject.length - 1) {
    throw new HoldSubjectError(
      `${kind}: namespace/user${kind === 'user' ? '' : '/viewer key'}, such as portal/100500`,
    );
  }
  return [subject.slice(0, slash), subject.slice(slash + 1)];
}
