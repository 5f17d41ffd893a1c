/* Instant, image, manifest, removal: the order of a checkpoint (docs/flow/checkpoint.md) beside a writer, with failures,
 * kills, power cuts, crashes in recovery, and rot of one file. README.md maps steps to functions.
 *
 * A commit is one lsn, durable in the log when it is acknowledged (log_tail.pml is about that). An image is two extents:
 * one that every commit changes, one that only some commits change, and that is named again if none did.
 *
 * Checked:
 *   C1  recovery finds everything acknowledged, whichever generation it starts from;
 *   C2  an image stands for exactly its manifest's lsn: nothing missing, nothing applied twice;
 *   C3  no file is removed that recovery needs: not of the newest generation, and not of the older one either, so that
 *       rot of any one file that only one of the two needs costs nothing;
 *   C4  without rot, recovery never refuses.
 *
 * Planted bugs (-DPLANT_...), which the checker must find:
 *   CUT_BEFORE_MANIFEST  CUT_AT_NEWEST  ONE_GENERATION  EXTENT_NOT_SYNCED  EXTENT_DIRECTORY_NOT_SYNCED
 *   MANIFEST_NOT_SYNCED  INSTANT_IN_TWO_STEPS  CHANGED_EXTENT_NAMED_AGAIN
 */
#ifndef LSNS
#define LSNS 3
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#define MANIFESTS 4 /* generations 1 to 4; the first is that of the empty collection */
#define EXTENTS 6
#define SEGMENTS 4

#define NONE 255

/* Names in a directory. */
#define ABSENT 0
#define PENDING 1 /* made or renamed, the directory not synced */
#define NAMED 2
#define GOING 3 /* removed, the directory not synced */

/* What is in a file. */
#define WRITTEN 1
#define SYNCED 2
#define BAD 3

/* What has no name any more is nothing: equal states look equal. */
#define forget_extent(e) ext_content[e] = 0; ext_lsn[e] = 0
#define forget_manifest(g) man_content[g] = 0; man_lsn[g] = 0; man_a[g] = NONE; man_b[g] = NONE

#define exists(n) ((n) == PENDING || (n) == NAMED)

/* --- the log: complete segments and the current one --- */
byte seg_first[SEGMENTS];
byte seg_name[SEGMENTS];
byte segs = 0;
bool open_segment = false; /* the next commit goes into the last one */
byte end = 0;              /* acknowledged */
bool touched[LSNS + 1];    /* the commit changed what the second extent holds */

/* --- extents --- */
byte ext_name[EXTENTS];
byte ext_content[EXTENTS];
byte ext_lsn[EXTENTS]; /* the commit that it was up to date with */
byte next_ext = 0;

/* --- manifests --- */
byte man_name[MANIFESTS];
byte man_content[MANIFESTS];
byte man_lsn[MANIFESTS];
byte man_a[MANIFESTS];
byte man_b[MANIFESTS];
byte next_gen = 1;

/* --- the process --- */
bool down = false;
byte last = 0;    /* index of the generation that the next checkpoint goes on from */
byte prev = NONE; /* the older one that is kept */
byte step = 0;    /* of the checkpoint; 0: none runs */
byte view_lsn = 0;
byte image_lsn = 0;
byte new_a = NONE, new_b = NONE;
byte attempt = 0; /* first extent of this attempt */
byte new_gen = NONE;

bool refused = false;    /* recovery found damage: nothing is changed any more */
bool recovering = false; /* the store is read; orphans are still to go */
byte last_durable = 0, older_durable = NONE; /* the two newest generations that were committed */

byte crashes = 0;
bool failed = false;
bool rotted = false;
byte rot_extent = NONE, rot_manifest = NONE;

byte i, j, chosen, older, reached; /* scratch, zero between steps */
bool ok;

/* The newest commit up to `l` that changed the second extent. */
inline last_touch(l) {
  j = l;
  do
  :: j > 0 && !touched[j] -> j--
  :: else -> break
  od
}

inline put_extent(e, l) {
  e = next_ext;
  ext_name[next_ext] = PENDING;
  ext_content[next_ext] = WRITTEN;
  ext_lsn[next_ext] = l;
  next_ext++
}

inline forget_checkpoint() {
  step = 0; view_lsn = 0; image_lsn = 0; new_a = NONE; new_b = NONE; attempt = 0; new_gen = NONE
}

inline sync_extent_directory() {
  i = 0;
  do
  :: i < EXTENTS ->
    if
    :: ext_name[i] == PENDING -> ext_name[i] = NAMED
    :: ext_name[i] == GOING -> ext_name[i] = ABSENT; forget_extent(i)
    :: else
    fi;
    i++
  :: else -> break
  od;
  i = 0
}

inline sync_collection_directory() {
  i = 0;
  do
  :: i < MANIFESTS ->
    if
    :: man_name[i] == PENDING -> man_name[i] = NAMED
    :: man_name[i] == GOING -> man_name[i] = ABSENT; forget_manifest(i)
    :: else
    fi;
    i++
  :: else -> break
  od;
  i = 0
}

inline go(n) { n = (n == NAMED -> GOING : (n == PENDING -> ABSENT : n)) }

#define keeps(g, e) ((g) != NONE && (man_a[g] == (e) || man_b[g] == (e)))

/* remove_unneeded: manifests and extents that neither generation needs; no sync follows. */
inline remove_unneeded() {
  i = 0;
  do
  :: i < MANIFESTS ->
    if
    :: i != last && i != prev -> go(man_name[i])
    :: else
    fi;
    i++
  :: else -> break
  od;
  i = 0;
  do
  :: i < next_ext ->
    if
    :: !keeps(last, i) && !keeps(prev, i) -> go(ext_name[i])
    :: else
    fi;
    i++
  :: else -> break
  od;
  i = 0
}

inline older_lsn() {
#ifdef PLANT_CUT_AT_NEWEST
  reached = man_lsn[last]
#else
  reached = (prev == NONE -> man_lsn[last] : man_lsn[prev])
#endif
}

/* The first segment that is there, if it lies wholly below what is needed: else NONE. */
inline find_removable() {
  older_lsn();
  chosen = NONE;
  i = 0;
  do
  :: i < segs && !exists(seg_name[i]) -> i++
  :: else -> break
  od;
  if
  :: i + 1 < segs && seg_first[i + 1] <= reached + 1 -> chosen = i
  :: else
  fi;
  i = 0; reached = 0
}

/* --- recovery: recovery.cc --- */

#define readable(g) (exists(man_name[g]) && man_content[g] != BAD)
#define extent_sound(e) ((e) == NONE || (exists(ext_name[e]) && ext_content[e] != BAD))
#define sound(g) (readable(g) && extent_sound(man_a[g]) && extent_sound(man_b[g]))

/* The newest sound generation; behind it, the next readable one. */
inline choose_generation() {
  chosen = NONE; older = NONE;
  i = MANIFESTS;
  do
  :: i > 0 ->
    i--;
    if
    :: chosen == NONE && sound(i) -> chosen = i
    :: chosen != NONE && older == NONE && readable(i) -> older = i
    :: else
    fi
  :: else -> break
  od
}

/* How far the log reaches from the generation's lsn on, without a hole; below its lsn if it begins behind it. */
inline read_log(from) {
  reached = from;
  ok = true;
  i = 0;
  j = NONE; /* the segment before */
  do
  :: i < segs ->
    if
    :: exists(seg_name[i]) ->
      if
      :: seg_first[i] <= from + 1 -> ok = true /* skip_below: what stands before it does not matter */
      :: j == NONE && seg_first[i] > from + 1 -> ok = false
      :: j != NONE && j + 1 != i -> ok = false
      :: else
      fi;
      j = i;
      reached = (i + 1 < segs -> seg_first[i + 1] - 1 : end)
    :: else
    fi;
    i++
  :: else -> break
  od;
  reached = (reached < from -> from : reached);
  i = 0; j = 0
}

/* C2: the extents hold exactly what the manifest's lsn says. */
inline check_image(g) {
  if
  :: man_a[g] != NONE -> assert(ext_lsn[man_a[g]] == man_lsn[g])
  :: else
  fi;
  if
  :: man_b[g] != NONE -> last_touch(man_lsn[g]); assert(ext_lsn[man_b[g]] >= j && ext_lsn[man_b[g]] <= man_lsn[g])
  :: else
  fi;
  j = 0
}

/* Refused: only if each of the two generations needed what is bad. */
inline refuse() {
  assert(rotted); /* C4 */
  assert(rot_manifest == last_durable && older_durable == NONE ||
         rot_extent != NONE && keeps(last_durable, rot_extent) && (older_durable == NONE || keeps(older_durable, rot_extent))); /* C3 */
  refused = true
}

inline recover() {
  choose_generation();
  if
  :: chosen == NONE -> refuse() /* no generation is sound */
  :: else ->
    read_log(man_lsn[chosen]);
    if
    :: !ok -> refuse() /* E4: the generation is so old that its log is gone */
    :: else ->
      assert(reached == end); /* C1 */
      check_image(chosen);
      last = chosen; prev = older;
      recovering = true;
      down = false
    fi
  fi;
  chosen = 0; older = 0; reached = 0; ok = false; i = 0; j = 0
}

/* Extents that no readable manifest names, unless a manifest is unreadable: it may name them. */
inline remove_orphans() {
  ok = true;
  i = 0;
  do
  :: i < MANIFESTS -> ok = ok && !(exists(man_name[i]) && man_content[i] == BAD); i++
  :: else -> break
  od;
  i = 0;
  do
  :: ok && i < next_ext ->
    j = 0; chosen = 0;
    do
    :: j < MANIFESTS -> chosen = (readable(j) && keeps(j, i) -> 1 : chosen); j++
    :: else -> break
    od;
    if
    :: chosen == 0 -> go(ext_name[i])
    :: else
    fi;
    i++
  :: else -> break
  od;
  /* A generation's number is used once: next is behind the highest that is there. */
  next_gen = 0;
  i = 0;
  do
  :: i < MANIFESTS -> next_gen = (exists(man_name[i]) -> i + 1 : next_gen); i++
  :: else -> break
  od;
  i = 0; j = 0; chosen = 0; ok = false;
  recovering = false
}

/* free_extent_number: behind every file that is there and what the manifests say. Only names matter here. */
inline free_numbers() {
  i = EXTENTS;
  do
  :: i > 0 && ext_name[i - 1] == ABSENT -> i--
  :: else -> break
  od;
  next_ext = i;
  i = 0
}

inline lose_power() {
  i = 0;
  do
  :: i < EXTENTS ->
    if
    :: ext_name[i] == PENDING || ext_name[i] == GOING -> ext_name[i] = ABSENT
    :: ext_name[i] == PENDING || ext_name[i] == GOING -> ext_name[i] = NAMED
    :: ext_name[i] == ABSENT || ext_name[i] == NAMED
    fi;
    if
    :: ext_content[i] == WRITTEN -> ext_content[i] = BAD
    :: ext_content[i] == WRITTEN -> ext_content[i] = SYNCED
    :: ext_content[i] != WRITTEN
    fi;
    if
    :: ext_name[i] == ABSENT -> forget_extent(i)
    :: else
    fi;
    i++
  :: else -> break
  od;
  i = 0;
  do
  :: i < MANIFESTS ->
    if
    :: man_name[i] == PENDING || man_name[i] == GOING -> man_name[i] = ABSENT
    :: man_name[i] == PENDING || man_name[i] == GOING -> man_name[i] = NAMED
    :: man_name[i] == ABSENT || man_name[i] == NAMED
    fi;
    if
    :: man_content[i] == WRITTEN -> man_content[i] = BAD
    :: man_content[i] == WRITTEN -> man_content[i] = SYNCED
    :: man_content[i] != WRITTEN
    fi;
    if
    :: man_name[i] == ABSENT -> forget_manifest(i)
    :: else
    fi;
    i++
  :: else -> break
  od;
  i = 0;
  do
  :: i < SEGMENTS ->
    if
    :: seg_name[i] == GOING -> seg_name[i] = ABSENT
    :: seg_name[i] == GOING -> seg_name[i] = NAMED
    :: seg_name[i] != GOING
    fi;
    i++
  :: else -> break
  od;
  i = 0
}

inline stop_process() {
  forget_checkpoint();
  last = 0; prev = NONE; open_segment = false; recovering = false;
  next_gen = 0; next_ext = EXTENTS; /* learnt again by recovery */
  down = true
}

inline commit(touches) {
  if
  :: !open_segment -> /* W1: its name is durable before its first frame (log_tail.pml) */
    seg_first[segs] = end + 1; seg_name[segs] = NAMED; segs++; open_segment = true
  :: else
  fi;
  end++;
  touched[end] = touches
}

#define up (!down && !recovering && !refused)
#define may_commit (up && end < LSNS && (open_segment || segs < SEGMENTS))

init {
  d_step {
    do
    :: i < MANIFESTS -> man_a[i] = NONE; man_b[i] = NONE; i++
    :: else -> break
    od;
    i = 0;
    man_name[0] = NAMED; man_content[0] = SYNCED
  }
  do
  :: d_step { may_commit -> commit(true) }
  :: d_step { may_commit -> commit(false) }

  /* --- a checkpoint: checkpoint.cc --- */
  :: d_step { up && step == 0 && next_gen < MANIFESTS && next_ext + 2 <= EXTENTS && end > man_lsn[last] -> /* take_instant */
      open_segment = false;
      view_lsn = end; image_lsn = end; attempt = next_ext; step = 1 }
#ifdef PLANT_INSTANT_IN_TWO_STEPS
  :: d_step { up && step == 1 && image_lsn != end -> image_lsn = end }
#endif
  :: d_step { up && step == 1 -> put_extent(new_a, view_lsn); step = 2 }
  :: d_step { up && step == 2 ->
#ifndef PLANT_EXTENT_NOT_SYNCED
      ext_content[new_a] = SYNCED;
#endif
      step = 3 }
  :: d_step { up && step == 3 ->
      last_touch(view_lsn);
      if
#ifdef PLANT_CHANGED_EXTENT_NAMED_AGAIN
      :: man_b[last] != NONE -> new_b = man_b[last]
#else
      :: man_b[last] != NONE && j <= man_lsn[last] -> new_b = man_b[last]
#endif
      :: else -> put_extent(new_b, view_lsn)
      fi;
      j = 0; step = 4 }
  :: d_step { up && step == 4 -> ext_content[new_b] = SYNCED; step = 5 }
  :: d_step { up && step == 5 ->
#ifndef PLANT_EXTENT_DIRECTORY_NOT_SYNCED
      sync_extent_directory();
#endif
      step = 6 }
  :: d_step { up && step == 6 -> /* the temporary manifest, synced, then its name */
      new_gen = next_gen; next_gen++;
      man_lsn[new_gen] = image_lsn; man_a[new_gen] = new_a; man_b[new_gen] = new_b;
#ifdef PLANT_MANIFEST_NOT_SYNCED
      man_content[new_gen] = WRITTEN;
#else
      man_content[new_gen] = SYNCED;
#endif
      man_name[new_gen] = PENDING;
#ifdef PLANT_CUT_BEFORE_MANIFEST
      prev = last; last = new_gen; step = 8
#else
      step = 7
#endif
    }
  :: d_step { up && step == 7 -> /* the directory: the only commit point */
      sync_collection_directory();
      prev = last; last = new_gen;
      last_durable = last; older_durable = prev;
#ifdef PLANT_ONE_GENERATION
      prev = NONE;
#endif
      step = 8 }
  :: d_step { up && step == 8 -> remove_unneeded(); step = 9 }
  :: d_step { up && step == 9 -> /* one segment, and a sync of the directory */
      find_removable();
      if
      :: chosen != NONE -> seg_name[chosen] = GOING; step = 10
      :: else -> forget_checkpoint()
      fi;
      chosen = 0 }
  :: d_step { up && step == 10 ->
      i = 0;
      do
      :: i < SEGMENTS -> seg_name[i] = (seg_name[i] == GOING -> ABSENT : seg_name[i]); i++
      :: else -> break
      od;
      i = 0; step = 9 }
  /* A checkpoint fails: its files go, unless a manifest may name them. */
  :: d_step { up && !failed && step >= 1 && step <= 5 ->
      failed = true;
      i = attempt;
      do
      :: i < next_ext -> go(ext_name[i]); i++
      :: else -> break
      od;
      i = 0;
      forget_checkpoint() }
  :: d_step { up && !failed && step == 7 -> failed = true; forget_checkpoint() } /* the sync of the directory fails */

  /* --- the end of a process, anywhere --- */
  :: atomic { !down && !refused && crashes < CRASHES -> crashes++; stop_process() }
  :: atomic { !down && !refused && crashes < CRASHES -> crashes++; lose_power(); stop_process() }
  /* --- rot of one file while nobody runs --- */
  :: atomic { down && !rotted ->
      if
      :: rot_manifest = last_durable
      :: rot_manifest = older_durable
      :: rot_extent = man_a[last_durable]
      :: rot_extent = man_b[last_durable]
      :: older_durable != NONE -> rot_extent = man_a[older_durable]
      fi;
      d_step {
        if
        :: rot_manifest != NONE && man_name[rot_manifest] == NAMED && man_content[rot_manifest] == SYNCED -> man_content[rot_manifest] = BAD; rotted = true
        :: rot_extent != NONE && ext_name[rot_extent] == NAMED && ext_content[rot_extent] == SYNCED -> ext_content[rot_extent] = BAD; rotted = true
        :: else -> rot_manifest = NONE; rot_extent = NONE
        fi
      }
    }
  /* --- recovery --- */
  :: d_step { down && !refused -> recover() }
  :: d_step { recovering -> remove_orphans(); free_numbers() }
  :: (refused || crashes == CRASHES) && !down && !recovering && step == 0 -> break
  :: refused -> break
  od
}
