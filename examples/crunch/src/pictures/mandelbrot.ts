const ITERATIONS = 1_000;

/** A picture of the Mandelbrot set, row by row: one byte for each pixel, 0 inside of the set. */
export function* drawMandelbrot(width: number, height: number): Generator<void, Uint8Array> {
  const pixels = new Uint8Array(width * height);
  for (let row = 0; row < height; row++) {
    const y = (2.25 * row) / height - 1.125;
    for (let column = 0; column < width; column++) {
      const x = (3 * column) / width - 2.1;
      pixels[row * width + column] = colour(iterations(x, y));
    }
    yield;
  }
  return pixels;
}

/** How long a point stays near; all of them inside of the set. */
function iterations(x: number, y: number): number {
  let [a, b] = [0, 0];
  for (let i = 0; i < ITERATIONS; i++) {
    const [a2, b2] = [a * a, b * b];
    if (a2 + b2 > 4) return i;
    b = 2 * a * b + y;
    a = a2 - b2 + x;
  }
  return ITERATIONS;
}

function colour(count: number): number {
  return count === ITERATIONS ? 0 : 1 + (count % 255);
}
