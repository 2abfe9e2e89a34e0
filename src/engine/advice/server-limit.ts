import { count, type Rule } from './rule.js';

/**
 * All pools together may open more than the other side admits. Speaks when `max + overflow`, times `processes`, is above
 * what the factory's `capacity` has said, less what is reserved. Source: of PostgreSQL the chapter "Connections and
 * Authentication" (`max_connections`, `superuser_reserved_connections`, `reserved_connections`), and `CONNECTION LIMIT` of
 * a role and of a database.
 */
export const serverLimit: Rule = {
  rule: 'server-limit',
  threshold: '(max + overflow) × processes above what the server admits, less what it reserves',
  source: 'capacity of the factory; PostgreSQL manual, Connections and Authentication',
  look({ limits, settings, observed }) {
    if (!observed.capacity) return undefined;
    const { limit, reserved = 0, name = 'its limit' } = observed.capacity;
    const { processes } = settings;
    const each = limits.max + limits.overflow;
    const wanted = each * processes;
    const admitted = limit - reserved;
    if (wanted <= admitted) return undefined;
    const sum = processes === 1 ? '' : ` in each of ${processes} processes, ${count(wanted)} together`;
    const kept = reserved === 0 ? '' : `, of which ${reserved} are reserved`;
    const fits = Math.floor(admitted / processes);
    const lower = fits >= 1 ? `Lower max to ${fits} or less` : 'Run fewer processes';
    return {
      text:
        `The pool may open ${count(each)} resources${sum}, but the server admits ${count(admitted)} (${name} is ` +
        `${count(limit)}${kept}). ${lower}, or raise the limit of the server.`,
      numbers: { wanted, max: each, processes, limit, reserved, admitted },
    };
  },
};
