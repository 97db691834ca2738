-- `since` names the prefixes itself, in ascending order: which of a feed's lines are admitted may
-- differ from one start to the next. For each a byte 4 or 6, its length, its address, and four
-- bytes, little-endian: the second since when the feed has listed it without a break. Feeds stored
-- before are listed since they were last uploaded.
UPDATE feeds SET since = X'';
