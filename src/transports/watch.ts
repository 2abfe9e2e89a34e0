import type { BorrowScope } from '../scope/index.js';

/**
 * Ends a source that nobody has begun to read, and nobody will: an interceptor has put something else in its place, or
 * this version of NestJS does not stream its kind. (11 on Express streams a `StreamableFile` and makes JSON of the rest.)
 */
export type EndUnread = () => void;

/** Tells when a body that is streamed in a scope is over. */
export type Watch = (scope: BorrowScope, drop: () => void) => EndUnread;
