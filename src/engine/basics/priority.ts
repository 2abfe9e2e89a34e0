/** Who is served first; within one priority, who came first. */
export type Priority = 'high' | 'normal' | 'low';
