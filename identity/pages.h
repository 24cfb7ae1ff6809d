// Whole pages of memory, for secrets.
#pragma once

#include <cstddef>

namespace devtrust {

std::size_t page_size();
/// How many pages it pays to map together, where they can be given back one by one.
std::size_t pages_at_once();
/// `length` bytes, whole pages, of zeros. Throws std::bad_alloc.
void* map_pages(std::size_t length);
/// Pages of one map_pages, or all of them.
void unmap_pages(void* memory, std::size_t length) noexcept;
/// Keeps them from being swapped. Whether they are: a limit on locked memory is no reason to fail.
bool lock_pages(void* memory, std::size_t length);
/// Leaves them out of core dumps, where the system can.
void hide_pages(void* memory, std::size_t length);

}  // namespace devtrust
