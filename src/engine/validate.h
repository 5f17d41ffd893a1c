// Everything that a request must satisfy, checked before anything is logged or searched. A rejected request changes
// nothing; the messages say what to do.
#pragma once

#include <span>
#include <string_view>

#include "holdfast/types.h"

namespace holdfast::engine {

Status validate_name(std::string_view name);
Status validate_config(const CollectionConfig& config);
Status validate_options(const OpenOptions& options);
/// Dimension, finite components, magnitude, zero norm under cosine.
Status validate_vector(std::span<const float> vector, const CollectionConfig& config);
/// Operations, sizes, duplicate ids, vectors, payloads.
Status validate_batch(const WriteBatch& batch, const CollectionConfig& config);
Status validate_search(std::span<const float> query, const SearchOptions& options, const CollectionConfig& config);

}  // namespace holdfast::engine
