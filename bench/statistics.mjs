export function median(values) {
  return quantile(values, 0.5);
}

export function quartiles(values) {
  return [quantile(values, 0.25), quantile(values, 0.75)];
}

export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  return sorted[low] + (at - low) * (sorted[Math.ceil(at)] - sorted[low]);
}

/** Where the median lies with a confidence of at least 95 %: the order statistics of the sign test. */
export function interval(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  let k = 0;
  // The chance that the median lies below the k-th smallest is that of fewer than k heads in n tosses.
  for (let chance = 2 ** -n, sum = chance; sum <= 0.025; k++) {
    chance = (chance * (n - k)) / (k + 1);
    sum += chance;
  }
  const index = Math.max(0, k - 1);
  return [sorted[index], sorted[n - 1 - index]];
}
