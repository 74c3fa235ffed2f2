/** One safety line that is made not to hold, and the test that must notice. */
export interface Mutation {
  /** What is no longer so, as a sentence. */
  readonly name: string;
  readonly file: string;
  /** Exact text, once in the file. */
  readonly find: string;
  readonly replace: string;
  readonly red: Red;
}

/** The test that turns red. */
export interface Red {
  /** As the test runner is given it. */
  readonly file: string;
  /** A test's sentence, or the part of it that stands in the source. */
  readonly test: string;
  /** Cases of the egress corpus to try, with commas. */
  readonly cases?: string;
}

/** The gateway's attacks, from the corpus that every build must pass. */
export const corpus = (cases: string): Red => ({
  file: "test/gateway/corpus.test.ts",
  test: "no fewer cases pass than before",
  cases,
});
