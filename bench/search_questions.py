"""Questions about Python and Linux, as a person would ask them; what `bench.search` searches for."""

QUESTIONS = tuple(
    """
How do I read a CSV file with a header line?
What is the difference between a list and a tuple?
How can I run several coroutines at the same time?
When does a garbage collection happen?
How do I write a context manager of my own?
What does the asterisk in a function definition mean?
How do I catch more than one exception?
Which module parses command line arguments?
How do I send an email with an attachment?
Can I limit the memory of a child process?
What happens to daemon threads when the interpreter exits?
How do I format a date as text?
How is the method resolution order computed?
Is dictionary order guaranteed?
How do I compare two files and show the differences?
What is the default encoding of text files on Windows?
How do I mock a function in a unit test?
Where are compiled bytecode files stored?
How do I get the size of a directory tree?
Why is my regular expression so slow?
How do I open a TLS connection with a client certificate?
What does the walrus operator do?
How do I build the kernel documentation as HTML?
How do I report a security bug in the kernel?
What does the tainted flag mean?
How do I enable dynamic debug messages?
Which device tree properties does an I2C bus need?
How does the completely fair scheduler choose the next task?
What is the difference between a spinlock and a mutex?
How do I set up huge pages at boot?
How does memory control by cgroups work?
How do I send a patch to the mailing list?
What is the purpose of RCU?
How can I trace a function call in a running kernel?
What are the rules for naming a sysfs file?
How does the page cache write dirty pages back?
Which mount options does the overlay file system know?
How do I configure a network bridge?
How are interrupts distributed over processors?
What does a watchdog driver have to implement?
""".strip().splitlines()
)
