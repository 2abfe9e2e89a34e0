/** Some ten seconds of one core. */
export const MAX_N = 5_000_000_000;
/** Pixels; the height is three quarters of it. */
export const MAX_WIDTH = 1_600;
