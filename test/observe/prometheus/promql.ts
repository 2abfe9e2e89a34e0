import { parser } from '@prometheus-io/lezer-promql';
import type { SyntaxNode } from '@lezer/common';

/** A metric that an expression asks for. */
export interface Selector {
  readonly metric: string;
  readonly matchers: readonly { readonly label: string; readonly op: string; readonly value: string }[];
}

/** What an expression consists of. */
export interface Parsed {
  readonly selectors: readonly Selector[];
  /** What it groups by. */
  readonly grouping: readonly string[];
  /** Where it is none: the text that cannot be read, and what is around it. */
  readonly errors: readonly string[];
}

export function parsePromql(expression: string): Parsed {
  const selectors: Selector[] = [];
  const grouping: string[] = [];
  const errors: string[] = [];
  const text = ({ from, to }: { from: number; to: number }): string => expression.slice(from, to);
  parser.parse(expression).iterate({
    enter: node => {
      if (node.type.isError) {
        errors.push(`${expression.slice(0, node.from)} ⚠ ${expression.slice(node.from)}`);
      } else if (node.name === 'VectorSelector') {
        const found = matchers(node.node).map(([label, op, value]) => ({
          ...{ label: text(label), op: text(op), value: JSON.parse(text(value)) as string },
        }));
        selectors.push({ metric: text(node.node.getChild('Identifier')!), matchers: found });
      } else if (node.name === 'GroupingLabels') {
        grouping.push(...node.node.getChildren('LabelName').map(text));
      }
    },
  });
  return { selectors, grouping, errors };
}

function matchers(selector: SyntaxNode): [SyntaxNode, SyntaxNode, SyntaxNode][] {
  const all = selector.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher') ?? [];
  return all.map(({ firstChild }) => {
    const op = firstChild!.nextSibling!;
    return [firstChild!, op, op.nextSibling!];
  });
}
