/** Any JSON object: it replaces what the mentor knew before. */
export type Metadata = { [key: string]: unknown };

/** Text, HTML, an element, or a function that gives either each time a message is sent. */
export type PageContent = string | Element | (() => string | Element | null | undefined);

export interface Warning {
  code: string;
  pointer: string;
  message: string;
}

/** What the server made of a context when it went with a message. */
export interface Stored {
  applied: boolean;
  /** The session's context version in force since then; null where another replaced this one before it was sent. */
  version: number | null;
  changed: boolean;
  warnings: Warning[];
  replaced?: true;
}

/** What became of one `setMetadata`. */
export interface Outcome {
  applied: boolean;
  version: number | null;
  /** Whether it goes with the next message; false: the conversation knows it already, or it was refused. */
  pending: boolean;
  warnings: Warning[];
  replaced?: true;
  stored: Promise<Stored>;
}

export interface Refresh {
  setMetadata(metadata: Metadata | null): Promise<Outcome>;
  setMetadataToken(token: string): Promise<Outcome>;
  setPageContent(content: PageContent | null): void;
}

/** What a hook may return instead of saying it. */
export interface Fresh {
  metadata?: Metadata;
  metadataToken?: string;
  pageContent?: PageContent;
}

export type BeforeSend = (refresh: Refresh) =>
  void | Fresh | Promise<void | Fresh>;

export interface Options {
  tenant: string;
  mentor: string;
  /** Where Mentor Context is; by default where this module was loaded from. */
  url?: string;
  /** An element, or a selector of one, that the mentor fills; without it there is a bubble. */
  container?: string | Element;
  metadata?: Metadata;
  /** What your back end has signed: its keys stand over those of `metadata`. */
  metadataToken?: string;
  pageContent?: PageContent;
  beforeSend?: BeforeSend;
  /** Become metadata of the session that is begun, unless `metadata` says otherwise. */
  parameters?: Record<string, string>;
  theme?: 'light' | 'dark';
  lang?: string;
  /** Of the frame, for those who hear the page. */
  title?: string;
  /** Of the bubble's button. */
  label?: string;
  closeLabel?: string;
  position?: 'start' | 'end';
  open?: boolean;
}

export interface Events {
  ready: { version?: number; parameters?: string[]; warnings?: Warning[] };
  open: Record<string, never>;
  close: Record<string, never>;
  /** Somebody said something; what they said stays in the frame. */
  message: { role: 'user' | 'mentor'; status: string; version: number };
  context: Stored;
  error: { code: string; message: string };
}

export interface MentorFrame {
  readonly mentor: string;
  setMetadata(metadata: Metadata | null): Promise<Outcome>;
  setMetadataToken(token: string): Promise<Outcome>;
  setPageContent(content: PageContent | null): void;
  beforeSend(hook: BeforeSend | null): void;
  start(metadata?: Metadata | null, includeMetadataInPrompt?: boolean): Promise<Outcome>;
  newChat(): void;
  /** Forgets every conversation with this mentor in this browser: for when a user signs out. */
  forget(): void;
  open(): void;
  close(): void;
  toggle(): void;
  focus(): void;
  setTheme(theme: 'light' | 'dark' | 'auto'): void;
  on<Name extends keyof Events>(event: Name, listener: (detail: Events[Name]) => void): () => void;
  off<Name extends keyof Events>(event: Name, listener: (detail: Events[Name]) => void): void;
  destroy(): void;
}

/** A mentor of its own, for a page that has more than one. */
export function create(options: Options): MentorFrame;

/** What every `init` begins with. */
export function configure(options: Partial<Options>): void;

/** The page's one mentor. What is called before `init` waits for it. */
export function Mentor(command: 'init', options?: Partial<Options>): Promise<MentorFrame>;
export function Mentor(command: 'setMetadata', metadata: Metadata | null): Promise<Outcome>;
export function Mentor(command: 'setMetadataToken', token: string): Promise<Outcome>;
export function Mentor(command: 'setPageContent', content: PageContent | null): Promise<void>;
export function Mentor(command: 'beforeSend', hook: BeforeSend | null): Promise<void>;
export function Mentor(
  command: 'start', mentor?: string | null, metadata?: Metadata | null, includeMetadataInPrompt?: boolean,
): Promise<Outcome>;
export function Mentor(command: 'open' | 'close' | 'toggle' | 'newChat' | 'forget' | 'focus' | 'destroy'): Promise<void>;
export function Mentor(command: 'setTheme', theme: 'light' | 'dark' | 'auto'): Promise<void>;
export function Mentor<Name extends keyof Events>(
  command: 'on', event: Name, listener: (detail: Events[Name]) => void,
): Promise<() => void>;
export function Mentor<Name extends keyof Events>(
  command: 'off', event: Name, listener: (detail: Events[Name]) => void,
): Promise<void>;
