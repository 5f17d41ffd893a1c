// Everything in one include.
#pragma once

#include "holdfast/admin.h"     // IWYU pragma: export
#include "holdfast/database.h"  // IWYU pragma: export
#include "holdfast/status.h"    // IWYU pragma: export
#include "holdfast/types.h"     // IWYU pragma: export
#include "holdfast/version.h"   // IWYU pragma: export
