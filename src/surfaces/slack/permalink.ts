/** Where a message is read, as `chat.getPermalink` has it, without asking for each. `url`: the workspace's, without a slash at the end. */
export const permalink = (url: string, channel: string, message: string): string =>
  `${url}/archives/${channel}/p${message.replace(".", "")}`;
