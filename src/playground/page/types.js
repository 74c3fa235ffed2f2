// @ts-check
/** The shapes the server sends. No code. */

/**
 * @typedef {{ type: string, text: string, emoji?: boolean, verbatim?: boolean }} Text
 *
 * @typedef {{ title?: Text, text: Text, confirm?: Text, deny?: Text, style?: string }} Confirm
 *
 * @typedef {{ text: Text, value?: string, description?: Text }} Option
 *
 * @typedef {object} Element An element of a block, of whatever kind.
 * @property {string} type
 * @property {string} [action_id]
 * @property {Text} [text]
 * @property {string} [value]
 * @property {string} [url]
 * @property {string} [style]
 * @property {string} [accessibility_label]
 * @property {Confirm} [confirm]
 * @property {Text} [placeholder]
 * @property {Option[]} [options]
 * @property {{ label: Text, options: Option[] }[]} [option_groups]
 * @property {Option} [initial_option]
 * @property {Option[]} [initial_options]
 * @property {string} [initial_value]
 * @property {string} [initial_user]
 * @property {string} [initial_date]
 * @property {string} [initial_time]
 * @property {boolean} [multiline]
 * @property {number} [max_length]
 * @property {string} [alt_text]
 * @property {string} [icon]
 * @property {{ text: Text, value: string }} [positive_button]
 * @property {{ text: Text, value: string }} [negative_button]
 *
 * @typedef {object} Rich A piece of rich text.
 * @property {string} type
 * @property {string} [text]
 * @property {string} [url]
 * @property {string} [user_id]
 * @property {string} [usergroup_id]
 * @property {string} [channel_id]
 * @property {string} [range]
 * @property {string} [name]
 * @property {number} [timestamp]
 * @property {string} [fallback]
 * @property {string | { bold?: boolean, italic?: boolean, strike?: boolean, code?: boolean }} [style]
 * @property {Rich[]} [elements]
 *
 * @typedef {object} Block
 * @property {string} type
 * @property {string} [block_id]
 * @property {Text | string} [text]
 * @property {Text[]} [fields]
 * @property {Element} [accessory]
 * @property {Element} [element]
 * @property {Element[]} [actions]
 * @property {(Element & Text & Rich)[]} [elements]
 * @property {Text | string} [title]
 * @property {Block} [rich_text_title]
 * @property {Text} [subtitle]
 * @property {Text} [body]
 * @property {Text} [label]
 * @property {Text} [hint]
 * @property {boolean} [optional]
 * @property {boolean} [dispatch_action]
 * @property {string} [level]
 * @property {string} [status]
 * @property {string} [task_id]
 * @property {Block} [details]
 * @property {Block} [output]
 * @property {{ url: string, text: string }[]} [sources]
 * @property {Block[]} [tasks]
 * @property {Block[]} [child_blocks]
 * @property {boolean} [is_collapsible]
 * @property {boolean} [default_collapsed]
 * @property {(Block & { text?: string })[][]} [rows]
 * @property {string} [caption]
 * @property {string} [alt_text]
 *
 * @typedef {object} Message
 * @property {string} ts
 * @property {string} channel
 * @property {string} user
 * @property {string} text
 * @property {string} [thread_ts]
 * @property {Block[]} [blocks]
 * @property {{ text?: string, fallback?: string }[]} [attachments]
 * @property {{ name: string, users: string[] }[]} [reactions]
 * @property {{ ts: string }} [edited]
 * @property {number} [reply_count]
 * @property {string[]} [reply_users]
 * @property {string} [latest_reply]
 * @property {string} [subtype]
 * @property {boolean} is_ephemeral
 * @property {string[] | null} visible_to
 * @property {boolean} streaming
 *
 * @typedef {object} User
 * @property {string} id
 * @property {string} name
 * @property {string} real_name
 * @property {boolean} is_bot
 * @property {boolean} is_restricted
 * @property {string} role
 * @property {string} can
 *
 * @typedef {object} Channel
 * @property {string} id
 * @property {string} name
 * @property {{ value: string }} topic
 * @property {string[]} members
 * @property {{ label: string, text: string, note: string }[]} examples
 *
 * @typedef {{ id: string, handle: string, name: string, users: string[] }} Group
 *
 * @typedef {object} View
 * @property {string} id
 * @property {string} hash
 * @property {Text} title
 * @property {Text | null} submit
 * @property {Text | null} close
 * @property {Block[]} blocks
 *
 * @typedef {{ channel: string, threadTs: string, text: string, session: string | null }} Status
 *
 * @typedef {object} Workspace Everything, as the first request gives it.
 * @property {{ id: string, name: string }} team
 * @property {string} bot
 * @property {string | null} banner
 * @property {User[]} users
 * @property {Channel[]} channels
 * @property {Group[]} groups
 * @property {Message[]} messages
 * @property {{ user: string, view: View }[]} views
 * @property {{ user: string, view: View }[]} homes
 * @property {string[]} commands
 * @property {Record<string, string>} reads
 * @property {Status[]} statuses
 * @property {{ waiting: number }} trouble
 */

export {};
