// How wide the vectors are that this processor has, asked at run time: one library serves all.

#ifndef INTERHAT_TF_KERNELS_PROCESSOR_H_
#define INTERHAT_TF_KERNELS_PROCESSOR_H_

#include <cstdlib>

// What is inlined into a function for wide vectors is compiled for them as well.
#define INLINE __attribute__((always_inline)) inline

#if defined(__x86_64__)
#define FOR_16_LANES __attribute__((target("avx512f,avx512dq,fma")))
#define FOR_8_LANES __attribute__((target("avx2,fma")))
#else  // never called
#define FOR_16_LANES
#define FOR_8_LANES
#endif

namespace interhat {

// Numbers of 32 bits in a vector: 16, 8, or the 4 that every processor has. Tests set fewer
// than there are.
inline int lanes() {
  static const int found = [] {
    const char* limit = std::getenv("INTERHAT_LANES");
    const int most = limit ? std::atoi(limit) : 16;
#if defined(__x86_64__)
    if (most >= 16 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) {
      return 16;
    }
    if (most >= 8 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 8;
#endif
    return 4;
  }();
  return found;
}

template <typename Task, typename... Arguments>
FOR_16_LANES void run_16(Arguments... arguments) {
  Task::template run<16>(arguments...);
}
template <typename Task, typename... Arguments>
FOR_8_LANES void run_8(Arguments... arguments) {
  Task::template run<8>(arguments...);
}

// Calls `Task::run` for the number of lanes that there are.
template <typename Task, typename... Arguments>
void run(Arguments... arguments) {
  if (lanes() == 16) return run_16<Task>(arguments...);
  if (lanes() == 8) return run_8<Task>(arguments...);
  Task::template run<4>(arguments...);
}

}  // namespace interhat

#endif  // INTERHAT_TF_KERNELS_PROCESSOR_H_
