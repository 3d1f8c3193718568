"""lark's parser and the records that it builds: the only room that knows lark."""
