declare module 'parse-prometheus-text-format' {
  /** A metric; numbers are texts, as they stand there. */
  interface ParsedFamily {
    readonly name: string;
    readonly help: string;
    readonly type: string;
    readonly metrics: readonly {
      readonly labels?: Readonly<Record<string, string>>;
      readonly value: string;
    }[];
  }
  export default function parse(text: string): ParsedFamily[];
}
