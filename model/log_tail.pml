/* Where a log ends: the rules for writing and the decision table of docs/format/log.md, with a writer, a disk that keeps
 * any part of what was not synced, kills, power cuts, rot, and crashes in recovery. README.md maps steps to functions.
 *
 * A frame is a number (its "uid"); what it holds stands in tables. A slot of a segment holds a uid, ZERO or TORN.
 * `cache` is what a process reads; `disk` is what a power cut leaves at least.
 *
 * Checked:
 *   L1  no acknowledged frame is lost, unless rot hit it and nothing proves that it was synced (the ambiguity that the
 *       document admits);
 *   L2  what recovery has shown is as good as acknowledged: it survives the next crash, whatever that is;
 *   L3  each frame that is found again is the one that was acknowledged under its lsn;
 *   L4  without rot, no crash is mistaken for damage;
 *   L5  rot of a frame that is proven to have been synced is never cut as a torn tail;
 *   L6  a write that was refused does not come back behind one that was acknowledged later.
 *   L7  the newest segment is not removed unnoticed: HEAD names it before a frame in it is acknowledged; and HEAD never
 *       names one that a crash can take away.
 * -DROW=n makes row En of the decision table an error, so that the checker shows that it is reached.
 *
 * Planted bugs (-DPLANT_...), which the checker must find:
 *   ACK_BEFORE_SYNC  NO_SEAL  SEAL_WITHOUT_SYNC  FRAME_BEFORE_DIRECTORY_SYNC  SUCCESSOR_BEFORE_SYNC
 *   SYNCED_LSN_IGNORED  CHAIN_IGNORED  BLOCK_WRITTEN_AGAIN  HEAD_BEFORE_SEGMENT  HEAD_NOT_LOWERED  HEAD_FORGOTTEN
 */
#ifndef LSNS
#define LSNS 4 /* frames that count, at most */
#endif
#ifndef FRAMES
#define FRAMES 5 /* frames ever encoded: some are refused, some are lost and their lsn is given again */
#endif
#ifndef CRASHES
#define CRASHES 3
#endif
#define SEGMENTS 4 /* files ever named */
#define SLOTS 2    /* frames in a segment */
#define CELLS 8    /* SEGMENTS * SLOTS */

#define ZERO 0
#define TORN 255
#define NO_SEGMENT 255

#ifdef ROW
#define row(n) assert((n) != ROW)
#else
#define row(n) skip
#endif

/* The name of a segment in its directory. */
#define ABSENT 0
#define PENDING 1 /* renamed, the directory not synced */
#define NAMED 2
#define GOING 3 /* removed, the directory not synced */

/* Phases. */
#define WRITING 0
#define NEW_SEGMENT 1 /* its name is pending */
#define DOWN 2
#define SEAL_COPIED 3
#define SEAL_NAMED 4
#define SEAL_SWEEP 5
#define SEAL_SWEPT 6
#define REFUSED 7 /* recovery found damage: nothing is changed any more */
#define NEW_HEAD 8 /* HEAD names the new segment, the directory not synced */
#define SEAL_HEAD 9
#define HEAD_LOWERED 10 /* likewise */

byte phase = WRITING;

/* --- frames: contents by uid --- */
byte lsn_of[FRAMES + 1];
byte prev_of[FRAMES + 1];
byte synced_of[FRAMES + 1];
byte uids = 0;

/* --- segment files --- */
byte files = 0;
byte first[SEGMENTS];
byte before[SEGMENTS]; /* in the header: uid of the frame that the segment goes on from */
byte name[SEGMENTS];
byte cache[CELLS];
byte disk[CELLS];

/* First lsn of the segment that HEAD names, 0: none; in the directory, and on the disk. */
byte head = 0, head_disk = 0;

/* A sealed copy that is renamed over a segment: until the directory is synced, a power cut may bring back the old file. */
byte sealed[SLOTS];
byte sealed_file = NO_SEGMENT;

/* --- the writer --- */
byte current = NO_SEGMENT;
byte used = 0;       /* slots of the current segment */
byte end_lsn = 0;
byte end_uid = 0;
byte synced = 0;
bool refused_group = false; /* one refused group is enough */

/* --- the checkpoint: durable in one step here (checkpoint.pml has the steps) --- */
byte after = 0;
byte base = 0; /* uid of frame `after` */

/* --- what was promised --- */
byte acked = 0;
byte promised[LSNS + 1]; /* uid by lsn */

byte crashes = 0;
bool removed = false; /* somebody removed the newest segment */
bool rotted = false;
byte rot_lsn = 0;
bool rot_proved = false; /* something durable said that the rotted frame had been synced */
bool rot_judged = false; /* a store that had it was opened and serves */

/* --- recovery's result --- */
byte found_end, found_uid, found_file;
byte found[LSNS + 1];
bool damage, cut;
byte proven;

byte i, j, k, x; /* scratch, zero between steps */
byte first_file, last_file, next_file, stop, highest, valid_behind;

#define cell(f, s) ((f) * SLOTS + (s))
#define is_frame(c) ((c) != ZERO && (c) != TORN)
#ifndef PLANT_CHAIN_IGNORED
#define follows(c) (is_frame(c) && lsn_of[c] == found_end + 1 && prev_of[c] == found_uid)
#else
#define follows(c) (is_frame(c) && lsn_of[c] == found_end + 1)
#endif
#define unwritten(s) (disk[cell(current, s)] != cache[cell(current, s)])
#define write_back(s) disk[cell(current, s)] = cache[cell(current, s)]
#define at_rest(c) (is_frame(disk[c]) && disk[c] == cache[c])
#define exists(f) (name[f] == PENDING || name[f] == NAMED)

inline encode(slot) {
  uids++;
  lsn_of[uids] = end_lsn + 1;
  prev_of[uids] = end_uid;
  synced_of[uids] = synced;
  cache[slot] = uids
}

inline acknowledge() {
  i = acked + 1;
  do
  :: i <= end_lsn ->
    /* the uid of frame i: walk the chain back from the end */
    j = end_uid;
    do
    :: lsn_of[j] > i -> j = prev_of[j]
    :: else -> break
    od;
    promised[i] = j;
    i++
  :: else -> break
  od;
  acked = end_lsn;
  i = 0; j = 0
}

inline sync_current() {
  if
  :: current != NO_SEGMENT ->
    i = 0;
    do
    :: i < SLOTS -> disk[cell(current, i)] = cache[cell(current, i)]; i++
    :: else -> break
    od;
    i = 0
  :: else
  fi;
  synced = end_lsn
}

inline sync_directory() {
  head_disk = head;
  i = 0;
  do
  :: i < files ->
    if
    :: name[i] == PENDING -> name[i] = NAMED
    :: name[i] == GOING -> name[i] = ABSENT
    :: else
    fi;
    i++
  :: else -> break
  od;
  if
  :: sealed_file != NO_SEGMENT ->
    i = 0;
    do
    :: i < SLOTS -> disk[cell(sealed_file, i)] = sealed[i]; sealed[i] = ZERO; i++
    :: else -> break
    od;
    sealed_file = NO_SEGMENT
  :: else
  fi;
  i = 0
}

/* --- crashes --- */

/* A power cut: of what was not synced, anything may be there, by the name and by the block. */
inline lose_power() {
  if
  :: head != head_disk -> head = head_disk
  :: head != head_disk -> head_disk = head
  :: head == head_disk
  fi;
  i = 0;
  do
  :: i < files ->
    if
    :: name[i] == PENDING -> name[i] = ABSENT
    :: name[i] == PENDING -> name[i] = NAMED
    :: name[i] == GOING -> name[i] = ABSENT
    :: name[i] == GOING -> name[i] = NAMED
    :: name[i] == ABSENT || name[i] == NAMED
    fi;
    i++
  :: else -> break
  od;
  i = 0;
  if
  :: sealed_file != NO_SEGMENT -> /* the copy has the name */
    do
    :: i < SLOTS -> disk[cell(sealed_file, i)] = sealed[i]; cache[cell(sealed_file, i)] = sealed[i]; i++
    :: else -> break
    od
  :: sealed_file != NO_SEGMENT -> /* the file that was found has it still; its page cache is gone */
    do
    :: i < SLOTS -> cache[cell(sealed_file, i)] = disk[cell(sealed_file, i)]; i++
    :: else -> break
    od
  :: sealed_file == NO_SEGMENT
  fi;
  sealed_file = NO_SEGMENT;
  i = 0;
  do
  :: i < SLOTS -> sealed[i] = ZERO; i++
  :: else -> break
  od;
  i = 0;
  do
  :: i < CELLS ->
    if
    :: disk[i] != cache[i] -> disk[i] = cache[i]
    :: disk[i] != cache[i] -> cache[i] = disk[i]
    :: disk[i] != cache[i] -> disk[i] = TORN; cache[i] = TORN
    :: disk[i] == cache[i]
    fi;
    i++
  :: else -> break
  od;
  i = 0
}

/* The process is gone: so is what it knew. */
inline stop_process() {
  current = NO_SEGMENT; used = 0; end_lsn = 0; end_uid = 0; synced = 0;
  found_end = 0; found_uid = 0; found_file = 0; damage = false; cut = false; proven = 0;
  i = 0;
  do
  :: i <= LSNS -> found[i] = 0; i++
  :: else -> break
  od;
  i = 0;
  phase = DOWN
}

inline prove(c) {
  if
  :: is_frame(disk[c]) && synced_of[disk[c]] >= x -> rot_proved = true
  :: else
  fi
}

/* One durable frame goes bad while nobody runs. */
inline rot() {
  x = lsn_of[disk[k]];
  rot_proved = (after >= x);
  i = 0;
  do
  :: i < files ->
    if
    :: name[i] == NAMED ->
      if
      :: first[i] > x -> rot_proved = true
      :: else
      fi;
      j = 0;
      do
      :: j < SLOTS ->
        if
        :: cell(i, j) != k -> prove(cell(i, j))
        :: else
        fi;
        j++
      :: else -> break
      od
    :: else
    fi;
    i++
  :: else -> break
  od;
  disk[k] = TORN; cache[k] = TORN;
  rotted = true;
  rot_lsn = x;
  i = 0; j = 0; x = 0
}

/* --- recovery: wal_reader.cc --- */

inline refuse() { damage = true }

/* The last segment, and frame found_end + 1 does not follow in slot j: E0, E1, E2, E3, E5. */
inline missing_in_last() {
  highest = 0; valid_behind = 0;
  cut = false;
  k = j;
  do
  :: k < SLOTS ->
    if
    :: cache[cell(i, k)] != ZERO -> cut = true
    :: else
    fi;
    if
    :: is_frame(cache[cell(i, k)]) ->
      valid_behind++;
#ifndef PLANT_SYNCED_LSN_IGNORED
      if
      :: synced_of[cache[cell(i, k)]] > highest -> highest = synced_of[cache[cell(i, k)]]
      :: else
      fi
#endif
    :: else
    fi;
    k++
  :: else -> break
  od;
  if
  :: highest > proven -> proven = highest
  :: else
  fi;
  if
  :: found_end < after -> row(5); found_end = after; found_uid = base
  :: else
  fi;
  if
  :: proven > found_end -> row(3); refuse()
  :: proven <= found_end && valid_behind > 0 -> row(2) /* cut */
  :: proven <= found_end && valid_behind == 0 && cut -> row(1)
  :: proven <= found_end && valid_behind == 0 && !cut -> row(0)
  fi;
  k = 0; highest = 0; valid_behind = 0
}

inline walk_segment() {
  /* the header names the frame before, and so does the checkpoint */
  if
  :: found_uid != TORN && before[i] != found_uid -> row(4); refuse()
  :: else
  fi;
  if
  :: after > 0 && first[i] - 1 == after && before[i] != base -> row(4); refuse()
  :: else
  fi;
  found_uid = before[i];
  stop = (next_file == NO_SEGMENT -> LSNS + 1 : first[next_file] - 1);
  do
  :: damage || found_end >= stop -> break
  :: else ->
    j = found_end + 1 - first[i];
    if
    :: j < SLOTS && follows(cache[cell(i, j)]) ->
      found_uid = cache[cell(i, j)];
      found_end++;
      found[found_end] = found_uid;
      found_file = i;
      if
      :: synced_of[found_uid] > proven -> proven = synced_of[found_uid]
      :: else
      fi
    :: else ->
      if
      :: next_file == NO_SEGMENT -> missing_in_last()
      :: next_file != NO_SEGMENT && stop <= after -> row(5); found_end = stop; found_uid = TORN /* the chain is not known */
      :: else -> row(3); refuse() /* its successor proves what is missing */
      fi;
      break
    fi
  od;
  j = 0; stop = 0
}

inline read_log() {
  damage = false; cut = false;
  proven = after;
  first_file = NO_SEGMENT;
  i = 0;
  do
  :: i < files ->
    if
    :: exists(i) ->
      if
      :: first[i] - 1 > proven -> proven = first[i] - 1
      :: else
      fi;
      /* skip_below: start with the last segment that begins at or below the checkpoint's end */
      if
      :: first_file == NO_SEGMENT -> first_file = i
      :: else ->
        assert(first[i] > first[first_file]); /* name order is the order of files here */
        if
        :: first[i] <= after + 1 -> first_file = i
        :: else
        fi
      fi
    :: else
    fi;
    i++
  :: else -> break
  od;
  found_file = NO_SEGMENT;
  /* HEAD names a segment that is not there, and neither is a later one. */
  k = 0;
  i = 0;
  do
  :: i < files -> k = (exists(i) && first[i] > k -> first[i] : k); i++
  :: else -> break
  od;
  if
  :: head > k -> row(4); refuse()
  :: else
  fi;
  k = 0; i = 0;
  if
  :: damage -> skip
  :: !damage && first_file == NO_SEGMENT -> found_end = after; found_uid = base; damage = (proven > after)
  :: !damage && first_file != NO_SEGMENT && first[first_file] > after + 1 -> row(4); refuse()
  :: !damage && first_file != NO_SEGMENT && first[first_file] <= after + 1 ->
    found_end = first[first_file] - 1;
    found_uid = TORN; /* not known: the first header says it */
    i = first_file;
    do
    :: i < files && !damage ->
      if
      :: exists(i) ->
        next_file = NO_SEGMENT;
        k = i + 1;
        do
        :: k < files ->
          if
          :: exists(k) -> next_file = k; break
          :: else
          fi;
          k++
        :: else -> break
        od;
        k = 0;
        walk_segment()
      :: else
      fi;
      i++
    :: else -> break
    od
  fi;
  if
  :: !damage && found_end < after -> found_end = after; found_uid = base
  :: else
  fi;
  i = 0; first_file = 0; next_file = 0
}

inline judge() {
  if
  :: damage -> assert(removed || (rotted && rot_lsn > after && !rot_judged)); phase = REFUSED /* L4 */
  :: else ->
    assert(found_end >= acked || (rotted && !rot_proved && !rot_judged && found_end + 1 >= rot_lsn)); /* L1, L2, L5 */
    i = after + 1;
    do
    :: i <= found_end ->
      assert(i > acked || found[i] == promised[i]);                           /* L3 */
      assert(i == after + 1 || prev_of[found[i]] == found[i - 1]);            /* L6 */
      i++
    :: else -> break
    od;
    i = 0;
    phase = SEAL_COPIED
  fi
}

/* seal_tail: the valid part of the last segment in a file of its own, synced, renamed over it. */
inline seal_rename() {
  i = 0;
  do
  :: i < SLOTS ->
    sealed[i] = (first[found_file] + i <= found_end -> cache[cell(found_file, i)] : ZERO);
    cache[cell(found_file, i)] = sealed[i];
    i++
  :: else -> break
  od;
  sealed_file = found_file;
  i = 0
}

#define lies_behind(f) (found_file == NO_SEGMENT -> first[f] > found_end : first[f] > first[found_file])

/* Before segments without a frame go, HEAD names none of them, durably. */
inline lower_head() {
  i = 0; k = 0; j = 0; /* k: the newest that stays; j: some go */
  do
  :: i < files ->
    if
    :: exists(i) && lies_behind(i) -> j = 1
    :: exists(i) && !lies_behind(i) -> k = (first[i] > k -> first[i] : k)
    :: else
    fi;
    i++
  :: else -> break
  od;
  i = 0;
  phase = SEAL_SWEEP;
#ifndef PLANT_HEAD_NOT_LOWERED
  if
  :: head > k -> head = k; phase = HEAD_LOWERED
  :: head <= k && j == 1 -> sync_directory()
  :: else
  fi;
#endif
  k = 0; j = 0
}

inline sweep() {
  i = 0;
  do
  :: i < files ->
    if
    :: exists(i) && lies_behind(i) ->
      name[i] = (name[i] == NAMED -> GOING : ABSENT)
    :: else
    fi;
    i++
  :: else -> break
  od;
  i = 0
}

/* Serve: what was found is shown, so it counts as promised from now on (L2). */
inline serve() {
  i = 1;
  do
  :: i <= found_end ->
    if
    :: i > after -> promised[i] = found[i]
    :: else
    fi;
    i++
  :: else -> break
  od;
  i = 0;
  acked = found_end; /* less than it was only in the admitted ambiguity, and then reported */
  rot_judged = rotted;
  end_lsn = found_end;
  end_uid = found_uid;
  synced = found_end;
  current = NO_SEGMENT;
  used = 0;
  found_end = 0; found_uid = 0; found_file = 0; damage = false; cut = false; proven = 0;
  do
  :: i <= LSNS -> found[i] = 0; i++
  :: else -> break
  od;
  i = 0;
  phase = WRITING
}

#define room(n) (current != NO_SEGMENT && used + (n) <= SLOTS)
#define may_encode(n) (uids + (n) <= FRAMES && end_lsn + (n) <= LSNS)

active proctype machine() {
  do
  /* --- writing: wal_writer.cc --- */
  :: d_step { phase == WRITING && room(1) && may_encode(1) ->
      encode(cell(current, used)); end_lsn++; end_uid = uids; used++;
      if
      :: used < SLOTS -> cache[cell(current, used)] = ZERO /* over what a refused group left behind */
      :: else
      fi;
#ifdef PLANT_ACK_BEFORE_SYNC
      acknowledge()
#endif
    }
  :: d_step { phase == WRITING && room(2) && may_encode(2) -> /* two batches, one write */
      encode(cell(current, used)); end_lsn++; end_uid = uids; used++;
      encode(cell(current, used)); end_lsn++; end_uid = uids; used++
    }
  :: atomic { phase == WRITING && room(2) && may_encode(2) && !refused_group -> /* no space: rule 5 */
      refused_group = true;
      encode(cell(current, used)); end_lsn++; k = end_uid; end_uid = uids;
      encode(cell(current, used + 1)); end_lsn--; end_uid = k; k = 0;
      if
      :: cache[cell(current, used)] = ZERO /* the first block is unmade */
      :: skip                              /* no space even for that */
      fi
    }
  :: d_step { phase == WRITING && synced < end_lsn -> sync_current(); acknowledge() }
  /* A mark or a flush with nothing new to sync writes nothing. The kernel writes back when it likes: */
  :: d_step { phase == WRITING && current != NO_SEGMENT && unwritten(0) -> write_back(0) }
  :: d_step { phase == WRITING && current != NO_SEGMENT && unwritten(1) -> write_back(1) }
#ifdef PLANT_BLOCK_WRITTEN_AGAIN
  /* The next group begins in the block of the last one: a torn write takes synced bytes with it. */
  :: d_step { phase == WRITING && current != NO_SEGMENT && used > 0 && at_rest(cell(current, used - 1)) ->
      disk[cell(current, used - 1)] = TORN }
#endif
  /* The next segment, when this one is full, or behind a checkpoint's instant: header synced, then its name. */
  :: d_step { phase == WRITING && !room(1) && files < SEGMENTS && end_lsn < LSNS ->
#ifndef PLANT_SUCCESSOR_BEFORE_SYNC
      if
      :: synced < end_lsn -> sync_current(); acknowledge()
      :: else
      fi;
#endif
      first[files] = end_lsn + 1;
      before[files] = end_uid;
      name[files] = PENDING;
#ifdef PLANT_HEAD_BEFORE_SEGMENT
      head = first[files];
#endif
      files++;
      phase = NEW_SEGMENT
    }
  :: d_step { phase == NEW_SEGMENT ->
#ifndef PLANT_FRAME_BEFORE_DIRECTORY_SYNC
      sync_directory();
#endif
#ifndef PLANT_HEAD_FORGOTTEN
      head = first[files - 1];
#endif
      phase = NEW_HEAD
    }
  :: d_step { phase == NEW_HEAD ->
#ifndef PLANT_FRAME_BEFORE_DIRECTORY_SYNC
      sync_directory();
#endif
      current = files - 1; used = 0;
      phase = WRITING
    }
  /* A checkpoint: roll (which syncs), image, manifest. */
  :: d_step { phase == WRITING && after == 0 && end_lsn > 0 ->
      if
      :: synced < end_lsn -> sync_current(); acknowledge()
      :: else
      fi;
      if
      :: used > 0 -> current = NO_SEGMENT; used = 0
      :: else /* an empty segment goes on being the current one */
      fi;
      after = end_lsn; base = end_uid
    }
  /* --- the end of a process, anywhere: also in recovery --- */
  :: atomic { phase != DOWN && phase != REFUSED && crashes < CRASHES -> crashes++; stop_process() } /* kill -9 */
  :: atomic { phase != DOWN && phase != REFUSED && crashes < CRASHES -> crashes++; lose_power(); stop_process() }
  :: atomic { phase == DOWN && !rotted && !removed && sealed_file == NO_SEGMENT ->
      if
      :: k = 0 :: k = 1 :: k = 2 :: k = 3 :: k = 4 :: k = 5 :: k = 6 :: k = 7
      fi;
      if
      :: at_rest(k) && name[k / SLOTS] == NAMED -> rot()
      :: else
      fi;
      k = 0
    }
  /* Somebody removes the newest segment. */
  :: d_step { phase == DOWN && !rotted && !removed && sealed_file == NO_SEGMENT && files > 0 && name[files - 1] == NAMED ->
      name[files - 1] = ABSENT;
      removed = true
    }
  /* --- recovery: wal_reader.cc, wal_seal.cc --- */
  :: d_step { phase == DOWN -> read_log(); judge() }
  :: d_step { phase == SEAL_COPIED ->
#ifndef PLANT_NO_SEAL
      if
      :: found_file != NO_SEGMENT && !(proven >= found_end && !cut) -> seal_rename(); phase = SEAL_NAMED
      :: else -> phase = SEAL_HEAD
      fi
#else
      phase = SEAL_HEAD
#endif
    }
  :: d_step { phase == SEAL_NAMED ->
#ifndef PLANT_SEAL_WITHOUT_SYNC
      sync_directory();
#endif
      phase = SEAL_HEAD
    }
  :: d_step { phase == SEAL_HEAD -> lower_head() }
  :: d_step { phase == HEAD_LOWERED -> sync_directory(); phase = SEAL_SWEEP }
  :: d_step { phase == SEAL_SWEEP -> sweep(); phase = SEAL_SWEPT }
  :: d_step { phase == SEAL_SWEPT ->
      i = 0; k = 0;
      do
      :: i < files -> k = (name[i] == GOING -> 1 : k); i++
      :: else -> break
      od;
      i = 0;
      if
      :: k == 1 -> sync_directory() /* only if something was removed */
      :: else
      fi;
      k = 0;
      serve()
    }
  /* The end: nothing left to do. */
  :: phase == REFUSED -> break
  :: phase == WRITING && crashes == CRASHES -> break
  od
}
