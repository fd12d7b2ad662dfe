"""Front Desk: the core pipeline of a chatbot server, and the stores and clients around it."""
