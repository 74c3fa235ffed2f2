import { buildSchema, GraphQLError, getVariableValues, Kind, parse, validate } from "graphql";
import { z } from "zod";

/**
 * What GitHub's GraphQL takes, as far as we send anything to it: names and types are GitHub's
 * (https://docs.github.com/en/graphql/reference/mutations#markpullrequestreadyforreview), the wording is ours. What is not
 * here is refused.
 */
const schema = buildSchema(`
  "GraphQL has no schema without a query; nothing is asked here."
  type Query {
    id: ID!
  }

  type Mutation {
    "Takes a pull request out of draft."
    markPullRequestReadyForReview(input: MarkPullRequestReadyForReviewInput!): MarkPullRequestReadyForReviewPayload
  }

  input MarkPullRequestReadyForReviewInput {
    clientMutationId: String
    "A pull request's node_id in the REST API."
    pullRequestId: ID!
  }

  type MarkPullRequestReadyForReviewPayload {
    clientMutationId: String
    pullRequest: PullRequest
  }

  type PullRequest {
    id: ID!
    isDraft: Boolean!
    number: Int!
  }
`);

const Body = z.strictObject({ query: z.string(), variables: z.record(z.string(), z.unknown()).default({}) });

/** What GitHub would have against the body of a GraphQL request; nothing: it fits. */
export function graphqlViolations(body: unknown): readonly string[] {
  const read = Body.safeParse(body);
  if (!read.success) return [z.prettifyError(read.error)];
  const { query, variables } = read.data;
  try {
    const document = parse(query);
    const found = validate(schema, document).map(({ message }) => message);
    for (const definition of document.definitions) {
      if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
      const { errors } = getVariableValues(schema, definition.variableDefinitions ?? [], variables);
      found.push(...(errors ?? []).map(({ message }) => message));
    }
    return found;
  } catch (error) {
    if (error instanceof GraphQLError) return [error.message];
    throw error;
  }
}
